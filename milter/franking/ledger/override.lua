-- Set or end the override of a quota, and write down who did so: both or neither.
--
-- KEYS[1]  the account's overrides: hash of a quota's name to `limit until`, in Unix seconds; expires with the last
-- KEYS[2]  what was changed by hand: stream, of the last 10000 changes and 400 days; expires
-- ARGV[1]  the quota's name
-- ARGV[2]  the new limit, empty to end the override
-- ARGV[3]  when it ends (Unix seconds)
-- ARGV[4]  the limit in the policy
-- ARGV[5]  who
--
-- Reply: {1, what there was: `limit until`, or empty}
--        {0}  nothing was changed: there is no override to end, or its end is past

local DAY = 86400
local now = tonumber(redis.call('TIME')[1])
local outdated, last, old = {}, 0, ''
local pairs_of = redis.call('HGETALL', KEYS[1])
for i = 1, #pairs_of, 2 do
  local till = tonumber(string.match(pairs_of[i + 1], ' (%d+)$') or 0)
  if till <= now then
    outdated[#outdated + 1] = pairs_of[i]
  elseif pairs_of[i] == ARGV[1] then
    old = pairs_of[i + 1]
  else
    last = math.max(last, till)
  end
end

local sets = ARGV[2] ~= ''
if sets and tonumber(ARGV[3]) <= now or not sets and old == '' then
  return {0}
end

-- XADD is the first to write: Redis looks at its memory then, and deleting is always allowed.
local old_limit, old_until = string.match(old, '^(%d+) (%d+)$')
redis.call('XADD', KEYS[2], 'MAXLEN', 10000, '*', 'who', ARGV[5], 'action', sets and 'set' or 'clear',
  'quota', ARGV[1], 'identity', '', 'old', old_limit or ARGV[4], 'old_until', old_until or '',
  'new', sets and ARGV[2] or ARGV[4], 'new_until', sets and ARGV[3] or '')
redis.call('XTRIM', KEYS[2], 'MINID', string.format('%.0f', (now - 400 * DAY) * 1000))
redis.call('EXPIRE', KEYS[2], 400 * DAY)

for _, name in ipairs(outdated) do
  redis.call('HDEL', KEYS[1], name)
end
if sets then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3])
  last = math.max(last, tonumber(ARGV[3]))
else
  redis.call('HDEL', KEYS[1], ARGV[1])
end
if last > 0 then
  redis.call('EXPIREAT', KEYS[1], string.format('%.0f', last))
end
return {1, old}
