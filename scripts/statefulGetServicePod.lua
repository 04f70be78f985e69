#!lua flags=no-writes
-- Lists a service's pods that are ready and fresh by the server's clock, least loaded first.
--
-- KEYS[1] state    hash: pod index -> <load>-<unix ms of heartbeat>-<routing>, routing 1 = ready
-- ARGV[1] max_age  milliseconds since the heartbeat; 0 = any
-- ARGV[2] limit    number of pods at most; 0 = all
--
-- Returns {pod, load, pod, load, ...}; among equal loads the lower pod index comes first.
-- A field that does not parse, a pod above 2^31-1 or another number above 2^53-1 is skipped: the hash is
-- also written by others.

local state = KEYS[1]
local max_age, limit = tonumber(ARGV[1]), tonumber(ARGV[2])

-- A heartbeat before this moment is too old; one ahead of the server's clock is fresh.
local oldest = 0
if max_age > 0 then
  local time = redis.call('TIME')
  oldest = time[1] * 1000 + math.floor(time[2] / 1000) - max_age
end

-- The number that a word of digits stands for; nil if it is too high or has leading zeros.
local function number(digits, highest)
  local n = tonumber(digits)
  if n and n <= highest and string.format('%.0f', n) == digits then
    return n
  end
end

local fields = redis.call('HGETALL', state)
local ready = {}
for i = 1, #fields, 2 do
  local pod = string.match(fields[i], '^%d+$')
  local load, beat, routing = string.match(fields[i + 1], '^(%d+)%-(%d+)%-(%d+)$')
  local index = pod and number(pod, 2147483647)
  local weight = load and number(load, 9007199254740991)
  local since = beat and number(beat, 9007199254740991)
  if index and weight and since and routing == '1' and since >= oldest then
    ready[#ready + 1] = {pod = pod, load = load, index = index, weight = weight}
  end
end

table.sort(ready, function(a, b)
  if a.weight ~= b.weight then
    return a.weight < b.weight
  end
  return a.index < b.index
end)

if limit == 0 or limit > #ready then
  limit = #ready
end

local reply = {}
for i = 1, limit do
  reply[2 * i - 1] = ready[i].pod
  reply[2 * i] = ready[i].load
end
return reply
