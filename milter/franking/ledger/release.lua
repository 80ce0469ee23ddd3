-- Give back what commit.lua counted for a message that is not accepted after all, and forget its record.
--
-- KEYS         as in commit.lua
-- ARGV[1]      token of the message
-- ARGV[2]      seconds for which a commit that is still under way is to be refused
-- ARGV[3]      queue ID
-- ARGV[4]      date of the message
-- ARGV[5, 6]   messages and recipients that were added to what the account sent that day
-- ARGV[7]      1 if the reply to the commit came, and with it the thresholds that were reached
--
-- Reply: 1 if something was given back, 0 if there was nothing.

local COUNTERS = 7

local function give_back(key, field, amount)
  if redis.call('HINCRBY', key, field, 0 - amount) < 0 then
    redis.call('HSET', key, field, 0)  -- it was forgotten, and is counted anew
  end
end

local state = redis.call('HMGET', KEYS[1], 'token', 'duplicate_of', 'charged', 'reached', 'resets')
local mine = state[1] == ARGV[1]
if mine then
  local n, resets = 0, {}
  for number, times in string.gmatch(state[5] or '', '(%d+) (%d+)') do
    resets[tonumber(number)] = times
  end
  -- By what was charged, and at the pace that a rate is counted by now; what was set to zero since holds none of it.
  for kind, cost, limit in string.gmatch(state[3] or '', '%S+ (%l+) (%d+) (%d+)') do
    n = n + 1
    local key = KEYS[COUNTERS + n]
    cost, limit = tonumber(cost), math.max(tonumber(limit), 1)
    if redis.call('EXISTS', key) == 1 and (redis.call('HGET', key, 'resets') or nil) == resets[n] then
      if kind == 'rate' then
        local kept = redis.call('HMGET', key, 'tat', 'rest', 'pace')
        local rest, pace = tonumber(kept[2] or 0) - cost * 1000000, tonumber(kept[3] or limit)
        local tat = tonumber(kept[1] or 0) + math.floor(rest / pace)
        redis.call('HSET', key, 'tat', string.format('%.0f', tat), 'rest', string.format('%.0f', rest % pace))
      else
        give_back(key, 'used', cost)
      end
    end
  end
  -- The next message tells what nobody has heard of; what was told of meanwhile rather twice than never.
  for number, threshold in string.gmatch(ARGV[7] ~= '1' and state[4] or '', '(%d+) (%d+) %d+ %d+') do
    local key = KEYS[COUNTERS + number]
    if tonumber(redis.call('HGET', key, 'told') or 0) >= tonumber(threshold) then
      redis.call('HSET', key, 'told', threshold - 1)
    end
  end
  if not state[2] and ARGV[5] ~= '0' and redis.call('EXISTS', KEYS[6]) == 1 then
    give_back(KEYS[6], ARGV[4] .. '/messages', ARGV[5])
    give_back(KEYS[6], ARGV[4] .. '/recipients', ARGV[6])
  end
  if KEYS[7] ~= KEYS[1] and redis.call('HGET', KEYS[7], 'token') == ARGV[1] then
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
