-- Settle an idempotency key: the client of the message that has it was told 250, and whoever retries is told so too.
--
-- KEYS[1]  the idempotency key, as KEYS[7] of commit.lua
-- ARGV[1]  token of the message
--
-- Reply: 1 if it is settled, 0 if the key is another message's or nobody's by now.

if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[1], 'settled', 1)
return 1
