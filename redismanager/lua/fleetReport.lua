#!lua
-- Stores what a process runs, with the server's time, and forgets processes that have fallen silent.
--
-- KEYS[1] seen     sorted set: process -> unix ms of its last report
-- KEYS[2] reports  hash: process -> report
-- ARGV[1] process  name
-- ARGV[2] report   JSON
-- ARGV[3] max_age  ms after which a silent process is forgotten
--
-- Returns {unix ms}.

local seen, reports = KEYS[1], KEYS[2]
local process, report, max_age = ARGV[1], ARGV[2], tonumber(ARGV[3])

local time = redis.call('TIME')
local ms = time[1] * 1000 + math.floor(time[2] / 1000)
local now = string.format('%.0f', ms)
local silent = redis.call('ZRANGEBYSCORE', seen, '-inf', string.format('(%.0f', ms - max_age), 'LIMIT', 0, 100)

redis.call('HSET', reports, process, report)
redis.call('ZADD', seen, now, process)
for _, one in ipairs(silent) do
  if one ~= process then
    redis.call('HDEL', reports, one)
    redis.call('ZREM', seen, one)
  end
end
redis.call('PEXPIRE', seen, 2 * max_age)
redis.call('PEXPIRE', reports, 2 * max_age)

return {now}
