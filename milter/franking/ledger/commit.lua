-- Count one message in every window it is charged to, store its record and index it: all of it or nothing.
--
-- KEYS[1]      the message: hash of `token`, `record`, `charged`, a line a charge, `resets`, the numbers of charges and
--              of resets, and `reached`, as in the reply; expires
-- KEYS[2]      the account's index: sorted set of queue IDs by the time they were received (Unix seconds); expires
-- KEYS[3]      queue IDs of the messages with this Message-ID: sorted set as the index, of the last 100; expires
-- KEYS[4]      the account's overrides: hash of a quota's name to `limit until`, in Unix seconds; expires
-- KEYS[5]      the account's counters that are in use: sorted set of their keys by when they expire, rates by a day
--              after they are empty or later; expires
-- KEYS[6]      what the account sent each day: hash of a date and `/messages` or `/recipients`; expires
-- KEYS[7]      the idempotency key: hash of `token` and `queue_id` of the message that had it first, `at` (Unix
--              seconds), `settled` once its client has been told, and `retries`; expires. KEYS[1] if there is none
-- KEYS[n + 7]  counter of the n-th charge: hash of `used` and `told`, the highest threshold, of the limit `told_of`, or
--              of a rate's `tat`, `rest` and `pace`, with `at`, when that was written; and of `resets`, how often it was
--              set to zero, if it was; expires
-- ARGV[1]      token of this message, the same when the call is made again
-- ARGV[2]      record, JSON
-- ARGV[3]      seconds for which the record is kept
-- ARGV[4]      queue ID
-- ARGV[5]      when the message was received (Unix seconds)
-- ARGV[6]      seconds for which the index keeps a queue ID: no record of the account is kept for longer
-- ARGV[7]      1 if limits hold, 0 if the message is accepted already: Redis was away, or its reply never came
-- ARGV[8]      seconds for which an idempotency key is known, 0 if there is none
-- ARGV[9, 10]  date of the message, and the first date of which KEYS[6] still tells
-- ARGV[11, 12] messages and recipients to add to it
-- ARGV[13..]   for each charge: `window` or `rate`; limit; cost; expiry (Unix seconds), or the burst of a rate, 0 if it
--              is the limit; thresholds in percent, ascending, with blanks; the quota's name
--
-- Reply: {1, {used...}, {limit...}, {n, threshold, used, limit, ...}}  granted: what each window holds now and may hold,
--                             0 used of a rate, and thresholds reached; of a call that was made before these alone
--        {0, n, used, limit}  refused: the n-th window has no room; of a rate `used` are the milliseconds to wait
--        {2, queue-ID}        not counted: another message had the idempotency key, and its client was told 250
--        {3, seconds}         refused: another message has it, and what became of that one is not known for as long
--        {-1}                 refused: release.lua was here before us
--
-- A counter of a window that is past by Redis' clock is kept for a day, but for messages that are accepted already.
--
-- Nothing else runs in Redis meanwhile: what was read is still so when it is added to.

local COUNTERS, CHARGES, PER_CHARGE = 7, 13, 6
local UNSETTLED = 300  -- seconds; whoever answers for a message longer ago is gone, and its retry comes in its stead
local RETRIES = 20     -- that are recorded, or a client could fill Redis without being charged
local charges = #KEYS - COUNTERS
local function argument(n, offset) return ARGV[CHARGES + PER_CHARGE * (n - 1) + offset] end
local function thresholds(n) return string.gmatch(argument(n, 4), '%d+') end

local DAY = 86400
local SPAN = 600       -- seconds; a rate's place in KEYS[5] is put right once in them, not with each message
local limited = ARGV[7] == '1'
local time = redis.call('TIME')
local now = tonumber(time[1])
local micros = now * 1000000 + tonumber(time[2])

local seen = redis.call('HMGET', KEYS[1], 'token', 'released', 'duplicate_of', 'reached')
if seen[2] == ARGV[1] then
  return {-1}
end
if seen[1] == ARGV[1] and limited then
  local reached = {}
  for number in string.gmatch(seen[4] or '', '%d+') do
    reached[#reached + 1] = tonumber(number)
  end
  return seen[3] and {2, seen[3]} or {1, {}, {}, reached}
end
if seen[1] == ARGV[1] and not seen[3] then
  -- Counted by the call whose reply never came; a duplicate was not, and has been delivered.
  redis.call('HSET', KEYS[1], 'record', ARGV[2])
  -- As in release.lua: the next message tells what nobody has heard of.
  for n, threshold in string.gmatch(seen[4] or '', '(%d+) (%d+) %d+ %d+') do
    local key = KEYS[COUNTERS + n]
    if tonumber(redis.call('HGET', key, 'told') or 0) >= tonumber(threshold) then
      redis.call('HSET', key, 'told', threshold - 1)
    end
  end
  if ARGV[8] ~= '0' and redis.call('HGET', KEYS[7], 'token') == ARGV[1] then
    redis.call('HSET', KEYS[7], 'settled', 1)
  end
  return {1, {}, {}, {}}
end

local function store(name, value)
  -- HSET before HDEL: Redis looks at its memory when a script first writes, and deleting is always allowed.
  redis.call('HSET', KEYS[1], 'token', ARGV[1], 'record', ARGV[2])
  -- What is of another message, where queue IDs come again.
  redis.call('HDEL', KEYS[1], 'released', 'duplicate_of', 'charged', 'resets', 'reached')
  redis.call('HSET', KEYS[1], name, value)
  redis.call('EXPIRE', KEYS[1], ARGV[3])
  redis.call('ZADD', KEYS[2], ARGV[5], ARGV[4])
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. now - ARGV[6])
  redis.call('EXPIRE', KEYS[2], ARGV[6])
  redis.call('ZADD', KEYS[3], ARGV[5], ARGV[4])
  redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -101)
  if redis.call('TTL', KEYS[3]) < tonumber(ARGV[3]) then
    redis.call('EXPIRE', KEYS[3], ARGV[3])
  end
end

local first = {}
if ARGV[8] ~= '0' then
  first = redis.call('HMGET', KEYS[7], 'queue_id', 'settled', 'at')
end
if first[1] and limited then
  local left = UNSETTLED - (now - tonumber(first[3]))
  if first[2] then
    if redis.call('HINCRBY', KEYS[7], 'retries', 1) <= RETRIES then
      store('duplicate_of', first[1])
      redis.call('EXPIRE', KEYS[1], math.min(tonumber(ARGV[3]), tonumber(ARGV[8])))
    end
    return {2, first[1]}
  elseif left > 0 then
    return {3, left}
  end
end

local overrides = {}
if redis.call('EXISTS', KEYS[4]) == 1 then
  local pairs_of = redis.call('HGETALL', KEYS[4])
  for i = 1, #pairs_of, 2 do
    local limit, till = string.match(pairs_of[i + 1], '^(%d+) (%d+)$')
    if limit and tonumber(till) > now then
      overrides[pairs_of[i]] = tonumber(limit)
    end
  end
end

local used, told, limits, tats, resets = {}, {}, {}, {}, {}
local function note(n, number)
  if number then
    resets[#resets + 1] = n .. ' ' .. number
  end
end
for n = 1, charges do
  local limit, cost = overrides[argument(n, 5)] or tonumber(argument(n, 1)), tonumber(argument(n, 2))
  limits[n] = limit
  if argument(n, 0) == 'rate' then
    -- Generic cell rate algorithm: `tat` is when the next message would be due at an even pace, in microseconds and
    -- `rest` parts of one, of which there are `pace`: whole numbers, for what is rounded adds up. What is used is
    -- counted in millionths of a message, so that it is the same at another pace.
    --
    -- Where the clock was put back since `at`, as by a failover, `tat` goes back with it: at once, for what is refused
    -- writes nothing else, and would wait until the clock has caught up. To hold what is taken to what fits would not
    -- do: streams may share a bucket at limits of their own, and the smaller one would empty it for the larger one.
    -- What was sent stays taken where a limit is lowered, and a message gives back what it cost.
    --
    -- What is accepted already fills the bucket and no more: it came while Redis was away, however long that was, and
    -- is counted in a moment.
    local kept = redis.call('HMGET', KEYS[COUNTERS + n], 'tat', 'rest', 'pace', 'resets', 'at')
    note(n, kept[4])
    local back = math.max(tonumber(kept[5] or 0) - micros, 0)
    local before, pace = tonumber(kept[1] or 0) - back, math.max(limit, 1)
    if back > 0 then
      redis.call('HSET', KEYS[COUNTERS + n], 'tat', string.format('%.0f', before), 'at', string.format('%.0f', micros))
    end
    local burst = tonumber(argument(n, 3))
    local most = (burst > 0 and burst or limit) * 1000000
    local taken = math.max((before - micros) * tonumber(kept[3] or pace) + tonumber(kept[2] or 0), 0)
    local after = taken + cost * 1000000
    if not limited then
      after = math.max(taken, math.min(after, most))
    end
    local tat, rest = micros + math.floor(after / pace), after % pace
    local wait = tat - micros - math.floor(most / pace)
    if limit == 0 then
      wait = 60000000  -- nothing passes until the override ends
    end
    if limited and wait > 0 then
      return {0, n, math.ceil(wait / 1000), limit}
    end
    tats[n] = {tat, rest, pace, before}
  else
    local counter = redis.call('HMGET', KEYS[COUNTERS + n], 'used', 'told', 'resets', 'told_of')
    note(n, counter[3])
    used[n], told[n] = tonumber(counter[1] or 0), tonumber(counter[2] or 0)
    if told[n] > 0 and tonumber(counter[4] or limit) ~= limit then
      -- Of another limit: that counts as told which was told of that one and is passed at this one.
      local passed = 0
      for threshold in thresholds(n) do
        if used[n] * 100 >= threshold * limit then
          passed = tonumber(threshold)
        end
      end
      told[n] = math.min(told[n], passed)
    end
    if limited and used[n] + cost > limit then
      return {0, n, used[n], limit}
    end
  end
end

local function list(key, till)
  redis.call('ZADD', KEYS[5], till, key)
  redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', now)
  if redis.call('TTL', KEYS[5]) < till - now then
    redis.call('EXPIREAT', KEYS[5], till)
  end
end

local reached, noted, charged = {}, {}, {}
for n = 1, charges do
  charged[n] = table.concat({argument(n, 5), argument(n, 0), argument(n, 2), string.format('%.0f', limits[n])}, ' ')
end
store('charged', table.concat(charged, '\n'))
if resets[1] then
  redis.call('HSET', KEYS[1], 'resets', table.concat(resets, ' '))
end
for n = 1, charges do
  local key, cost = KEYS[COUNTERS + n], tonumber(argument(n, 2))
  if tats[n] then
    local tat, rest, pace, before = unpack(tats[n])
    redis.call('HSET', key, 'tat', string.format('%.0f', tat), 'rest', string.format('%.0f', rest),
      'pace', string.format('%.0f', pace), 'at', string.format('%.0f', micros))
    -- A minute more than it tells of, for clocks that are put right.
    redis.call('PEXPIRE', key, string.format('%.0f', (tat - micros) / 1000 + 60000))
    local span = math.floor(tat / 1000000 / SPAN)
    if span > math.floor(before / 1000000 / SPAN) then
      list(key, (span + 2) * SPAN + DAY)
    end
    used[n] = 0
  else
    local before, expiry = used[n], tonumber(argument(n, 3))
    if limited then
      expiry = math.max(expiry, now + DAY)  -- else a host whose clock is behind would have no limits
    end
    used[n] = redis.call('HINCRBY', key, 'used', cost)
    if before == 0 then
      list(key, expiry)
    end
    local last = told[n]
    if limited then
      for threshold in thresholds(n) do
        threshold = tonumber(threshold)
        if threshold > told[n] and used[n] * 100 >= threshold * limits[n] then
          last = threshold
          for _, value in ipairs({n, threshold, used[n], limits[n]}) do
            reached[#reached + 1] = value
            noted[#noted + 1] = string.format('%.0f', value)
          end
        end
      end
    end
    if last > told[n] or not limited then
      -- What was accepted without us is told of with the next message, which must see what it passed at this limit.
      redis.call('HSET', key, 'told', last, 'told_of', string.format('%.0f', limits[n]))
    end
    redis.call('EXPIREAT', key, expiry)  -- last, for it deletes the counter of a window long past
  end
end

if reached[1] then
  redis.call('HSET', KEYS[1], 'reached', table.concat(noted, ' '))
end

if ARGV[11] ~= '0' then
  redis.call('HINCRBY', KEYS[6], ARGV[9] .. '/messages', ARGV[11])
  redis.call('HINCRBY', KEYS[6], ARGV[9] .. '/recipients', ARGV[12])
  redis.call('EXPIRE', KEYS[6], 34560000)
  if redis.call('HLEN', KEYS[6]) > 810 then
    for _, field in ipairs(redis.call('HKEYS', KEYS[6])) do
      if field < ARGV[10] then
        redis.call('HDEL', KEYS[6], field)
      end
    end
  end
end
if ARGV[8] ~= '0' and (limited or not first[1]) then
  redis.call('DEL', KEYS[7])
  redis.call('HSET', KEYS[7], 'token', ARGV[1], 'queue_id', ARGV[4], 'at', now)
  if not limited then
    redis.call('HSET', KEYS[7], 'settled', 1)
  end
  redis.call('EXPIRE', KEYS[7], ARGV[8])
end
return {1, used, limits, reached}
