-- Count one message against every window it is charged to, store its record and index it: all of it or nothing.
--
-- KEYS[1]      the message: hash of `token` and `record`; expires
-- KEYS[2]      the account's index: sorted set of queue IDs by the time they were received (Unix seconds); expires
-- KEYS[3]      queue IDs of the messages with this Message-ID: sorted set as the index, of the last 100; expires
-- KEYS[n + 3]  counter of the n-th window, in messages; expires after the window
-- ARGV[1]      token of this message, the same when the call is made again
-- ARGV[2]      record, JSON
-- ARGV[3]      seconds for which the record is kept
-- ARGV[4]      queue ID
-- ARGV[5]      when the message was received (Unix seconds)
-- ARGV[6]      seconds for which the index keeps a queue ID: no record of the account is kept for longer
-- ARGV[7..]    limit (messages), cost (messages), expiry (Unix seconds): one triple a counter
--
-- Reply: {1, used...}    granted; messages counted in each window, this one among them
--        {0, n, used}    refused; the n-th window has no room, `used` messages are in it
--        {-1}            refused; release.lua was here before us
--
-- Nothing else runs in Redis meanwhile: what was read is still so when it is added to.

local seen = redis.call('HMGET', KEYS[1], 'token', 'released')
if seen[2] == ARGV[1] then
  return {-1}
end

local used = {}
for n = 1, #KEYS - 3 do
  used[n] = tonumber(redis.call('GET', KEYS[n + 3]) or 0)
end
if seen[1] == ARGV[1] then
  return {1, unpack(used)}
end

for n = 1, #KEYS - 3 do
  local limit, cost = tonumber(ARGV[4 + 3 * n]), tonumber(ARGV[5 + 3 * n])
  if used[n] + cost > limit then
    return {0, n, used[n]}
  end
end

for n = 1, #KEYS - 3 do
  used[n] = redis.call('INCRBY', KEYS[n + 3], ARGV[5 + 3 * n])
  redis.call('EXPIREAT', KEYS[n + 3], ARGV[6 + 3 * n])
end
-- HSET before HDEL: Redis looks at its memory when a script first writes, and deleting is always allowed.
redis.call('HSET', KEYS[1], 'token', ARGV[1], 'record', ARGV[2])
redis.call('HDEL', KEYS[1], 'released')
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('ZADD', KEYS[2], ARGV[5], ARGV[4])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. ARGV[5] - ARGV[6])
redis.call('EXPIRE', KEYS[2], ARGV[6])
redis.call('ZADD', KEYS[3], ARGV[5], ARGV[4])
redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -101)
if redis.call('TTL', KEYS[3]) < tonumber(ARGV[3]) then
  redis.call('EXPIRE', KEYS[3], ARGV[3])
end
return {1, unpack(used)}
