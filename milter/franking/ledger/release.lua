-- Give back what commit.lua counted for a message that is not accepted after all, and forget its record.
--
-- KEYS         as in commit.lua
-- ARGV[1]      token of the message
-- ARGV[2]      seconds for which a commit that is still under way is to be refused
-- ARGV[3]      queue ID
-- ARGV[n + 3]  cost in the n-th window (messages)
--
-- Reply: 1 if something was given back, 0 if there was nothing.

local token = redis.call('HGET', KEYS[1], 'token')
if token == ARGV[1] then
  for n = 1, #KEYS - 3 do
    if redis.call('EXISTS', KEYS[n + 3]) == 1 then
      redis.call('DECRBY', KEYS[n + 3], ARGV[n + 3])
    end
  end
  redis.call('DEL', KEYS[1])
  redis.call('ZREM', KEYS[2], ARGV[3])
  redis.call('ZREM', KEYS[3], ARGV[3])
end

redis.call('HSET', KEYS[1], 'released', ARGV[1])
if redis.call('TTL', KEYS[1]) < 0 then
  redis.call('EXPIRE', KEYS[1], ARGV[2])
end
return token == ARGV[1] and 1 or 0
