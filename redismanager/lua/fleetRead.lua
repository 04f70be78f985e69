#!lua flags=no-writes
-- Reads the registry of a fleet and what its processes have reported lately.
--
-- KEYS[1] registry  hash: revision, script:<name> (see fleetPush)
-- KEYS[2] versions  hash: <name>@<version> -> <sha1> <idempotent, 0 or 1> <unix ms> <by>
-- KEYS[3] seen      sorted set: process -> unix ms of its last report
-- KEYS[4] reports   hash: process -> report
-- ARGV[1] max_age   ms after which a silent process is not shown
--
-- Returns {unix ms, {field, value, ...} of the registry, {field, value, ...} of the versions,
-- {process, unix ms, report, ...}}.

local registry, versions, seen, reports = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local max_age = tonumber(ARGV[1])

local time = redis.call('TIME')
local ms = time[1] * 1000 + math.floor(time[2] / 1000)
local live = redis.call('ZRANGEBYSCORE', seen, string.format('%.0f', ms - max_age), '+inf', 'WITHSCORES')

local processes = {}
for i = 1, #live, 2 do
  local report = redis.call('HGET', reports, live[i])
  processes[#processes + 1] = live[i]
  processes[#processes + 1] = live[i + 1]
  processes[#processes + 1] = report or '{}'
end

return {string.format('%.0f', ms), redis.call('HGETALL', registry), redis.call('HGETALL', versions), processes}
