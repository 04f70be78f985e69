package redisconfig

// keyDocs says what each key means. A test fails when a key has no line here.
var keyDocs = map[string]string{
	"url": "Address, topology and credentials in one, such as redis://user:password@host:6379/0, " +
		"rediss:// for TLS, redis+sentinel://h1,h2/mymaster or redis+cluster://h1,h2. Instead of addr and addrs.",
	"mode":  "Topology: standalone, sentinel or cluster. It is never guessed from the addresses.",
	"addr":  "host:port of the server in mode standalone; in the other modes a single seed instead of addrs.",
	"addrs": "host:port of the sentinels (mode sentinel) or of some nodes (mode cluster).",

	"username":      "ACL user of the data nodes. Without one: the server's default user.",
	"password":      "Password of the user. Better kept in a file, see password_file.",
	"password_file": "File that holds the password, at most 4 KiB; one newline at its end is dropped. Watch follows its changes.",
	"db":            "Database number, 0 to 1000000. A Cluster has only 0.",

	"master_name":            "Name under which the sentinels know the master. Required in mode sentinel.",
	"sentinel_username":      "ACL user of the sentinels themselves.",
	"sentinel_password":      "Password of the sentinels themselves.",
	"sentinel_password_file": "File that holds the sentinels' password, as password_file.",

	"tls.enabled":     "Encrypt the connections to data nodes and sentinels: TLS 1.2 or newer, certificates always verified.",
	"tls.ca_file":     "PEM file of the authorities to trust. Without one: the system's.",
	"tls.cert_file":   "PEM file of the client's certificate, for servers that ask for one. Needs key_file.",
	"tls.key_file":    "PEM file of the key of cert_file.",
	"tls.server_name": "Name that the server's certificate must be for. Without one: the host of each address.",

	"client_name": "Name shown by CLIENT LIST, without spaces.",

	"pool_size":          "Most connections per node for single commands, 1 to 10000.",
	"min_idle_conns":     "Connections kept open when idle, up to pool_size (the default is pool_size if that is below 5); 0 or -1 for none.",
	"max_idle_conns":     "Most idle connections kept, up to pool_size; 0 for no limit.",
	"pipeline_pool_size": "Most connections per node for batches, beside pool_size, 1 to 10000; -1 to share pool_size.",
	"pool_timeout":       "How long a call waits for a free connection, 1ms to 5m.",
	"conn_max_idle_time": "Connections idle for longer are closed, 1s to 24h; -1 for never. Keep it below the server's timeout.",
	"conn_max_lifetime":  "Connections older than this are closed, 1s to 24h; 0 for never.",

	"pool_min":            "Smallest pool size that the autoscaler may choose, 1 to pool_size (the default, if pool_max is set).",
	"pool_max":            "Largest pool size that the autoscaler may choose, pool_size to 10000; 0 turns it off.",
	"pool_scale_interval": "Least time between two changes of one node's pool, 100ms to 1h.",
	"pool_dry_run":        "The autoscaler tells what it would do, and does nothing.",

	"max_retries":       "How often a call that was surely not applied, or only reads, is tried again at once, up to 100; 0 or -1 for never, then retry_timeout does not hold either.",
	"min_retry_backoff": "Shortest pause between tries, 1ms to 1m.",
	"max_retry_backoff": "Longest pause between tries, min_retry_backoff to 1m.",

	"retry_timeout": "How long a call without a deadline waits for Redis to come back after an error that left nothing behind, 1ms to 5m. A call with a deadline waits until that.",

	"disable_script_updates": "Turn off every way to change a script while the program runs.",

	"dial_timeout":  "Bound for opening one connection, 1ms to 5m.",
	"read_timeout":  "Bound for the wait for a reply, 1ms to 5m.",
	"write_timeout": "Bound for sending a command, 1ms to 5m.",
	"close_timeout": "How long closing waits for calls in flight and leases, 1ms to 5m.",
}
