-- Give back what commit.lua counted for a message that is not accepted after all, and forget its record.
--
-- KEYS         as in commit.lua
-- ARGV[1]      token of the message
-- ARGV[2]      seconds for which a commit that is still under way is to be refused
-- ARGV[3]      queue ID
-- ARGV[4]      date of the message
-- ARGV[5, 6]   messages and recipients that were added to what the account sent that day
-- ARGV[7..]    for each charge: `window` or `rate`; limit; cost
--
-- Reply: 1 if something was given back, 0 if there was nothing.

local COUNTERS, CHARGES, PER_CHARGE = 7, 7, 3

local function give_back(key, field, amount)
  if redis.call('HINCRBY', key, field, 0 - amount) < 0 then
    redis.call('HSET', key, field, 0)  -- somebody has reset it meanwhile
  end
end

local state = redis.call('HMGET', KEYS[1], 'token', 'duplicate_of')
local mine = state[1] == ARGV[1]
if mine then
  for n = 1, (state[2] and 0 or #KEYS - COUNTERS) do
    local first = CHARGES + PER_CHARGE * (n - 1)
    local key, kind, limit, cost = KEYS[COUNTERS + n], ARGV[first], tonumber(ARGV[first + 1]), tonumber(ARGV[first + 2])
    if redis.call('EXISTS', key) == 1 then
      if kind == 'rate' then
        local kept = redis.call('HMGET', key, 'tat', 'rest')
        local rest = tonumber(kept[2] or 0) - cost * 1000000
        local tat = tonumber(kept[1] or 0) + math.floor(rest / limit)
        redis.call('HSET', key, 'tat', string.format('%.0f', tat), 'rest', string.format('%.0f', rest % limit))
      else
        give_back(key, 'used', cost)
      end
    end
  end
  if not state[2] and ARGV[5] ~= '0' and redis.call('EXISTS', KEYS[6]) == 1 then
    give_back(KEYS[6], ARGV[4] .. '/messages', ARGV[5])
    give_back(KEYS[6], ARGV[4] .. '/recipients', ARGV[6])
  end
  if KEYS[7] ~= KEYS[1] and redis.call('GET', KEYS[7]) == ARGV[1] .. ' ' .. ARGV[3] then
    redis.call('DEL', KEYS[7])
  end
  redis.call('DEL', KEYS[1])
  redis.call('ZREM', KEYS[2], ARGV[3])
  redis.call('ZREM', KEYS[3], ARGV[3])
end

redis.call('HSET', KEYS[1], 'released', ARGV[1])
if redis.call('TTL', KEYS[1]) < 0 then
  redis.call('EXPIRE', KEYS[1], ARGV[2])
end
return mine and 1 or 0
