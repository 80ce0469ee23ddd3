-- Set counters to zero, and write down who did so and what they held: all of it or nothing.
--
-- KEYS[1]      what was changed by hand: stream, of the last 10000 changes and 400 days; expires
-- KEYS[n + 1]  the n-th counter, as in commit.lua
-- ARGV[1]      who
-- ARGV[2..]    for each counter: the quota's name; the identity; `window` or `rate`; the limit of a rate
--
-- Reply: what each held

local DAY = 86400
local time = redis.call('TIME')
local micros = tonumber(time[1]) * 1000000 + tonumber(time[2])

local function argument(n, offset) return ARGV[4 * n - 2 + offset] end

local held = {}
for n = 1, #KEYS - 1 do
  local state = redis.call('HMGET', KEYS[n + 1], 'used', 'tat', 'pace', 'at')
  held[n] = tonumber(state[1] or 0)
  if argument(n, 2) == 'rate' then
    local pace = tonumber(state[3]) or math.max(1, tonumber(argument(n, 3)))
    local since = math.max(micros, tonumber(state[4] or 0))  -- as in commit.lua, the clock may have been put back
    held[n] = math.max(0, math.ceil((tonumber(state[2] or 0) - since) * pace / 1000000))
  end
end

for n = 1, #held do
  local key = KEYS[n + 1]
  if held[n] > 0 then
    redis.call('XADD', KEYS[1], 'MAXLEN', 10000, '*', 'who', ARGV[1], 'action', 'reset', 'quota', argument(n, 0),
      'identity', argument(n, 1), 'old', string.format('%.0f', held[n]), 'old_until', '', 'new', '0', 'new_until', '')
    redis.call('XTRIM', KEYS[1], 'MINID', string.format('%.0f', (tonumber(time[1]) - 400 * DAY) * 1000))
    redis.call('EXPIRE', KEYS[1], 400 * DAY)
    redis.call('HSET', key, argument(n, 2) == 'rate' and 'tat' or 'used', 0)
    redis.call('HINCRBY', key, 'resets', 1)  -- a release of what was counted before gives nothing back
  end
  redis.call('HDEL', key, 'told', 'told_of')
end
return held
