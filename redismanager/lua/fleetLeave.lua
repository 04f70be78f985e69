#!lua
-- Forgets what a process has reported.
--
-- KEYS[1] seen     sorted set: process -> unix ms of its last report
-- KEYS[2] reports  hash: process -> report
-- ARGV[1] process  name
--
-- Returns {1} if it had reported, else {0}.

local seen, reports = KEYS[1], KEYS[2]
local process = ARGV[1]

local known = redis.call('ZSCORE', seen, process)
redis.call('HDEL', reports, process)
redis.call('ZREM', seen, process)

return {known and 1 or 0}
