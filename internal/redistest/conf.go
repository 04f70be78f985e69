package redistest

import (
	"fmt"
	"strconv"
	"strings"
)

// MasterName is the name under which the sentinels watch their master.
const MasterName = "mymaster"

// place is where one server lives: its ports and its directory.
type place struct {
	port, busPort int
	dir           string
}

// conf is the text of a redis.conf under construction.
type conf struct{ b strings.Builder }

func (c *conf) add(key string, values ...string) {
	fmt.Fprintf(&c.b, "%s %s\n", key, strings.Join(values, " "))
}

// render makes the configuration file of a server or of a sentinel.
func (cfg config) render(at place) string {
	var c conf
	c.addCommon(cfg, at)
	if cfg.watch != nil {
		c.addSentinel(cfg)
		return c.b.String()
	}
	c.addServer()
	c.addAuth(cfg)
	if cfg.cluster {
		c.addCluster(cfg, at)
	}
	if cfg.master != nil {
		c.add("replicaof", host, strconv.Itoa(cfg.master.at.port))
	}
	for _, d := range cfg.directives {
		c.add(d.key, d.value)
	}
	return c.b.String()
}

// addCommon writes what a sentinel needs as well.
func (c *conf) addCommon(cfg config, at place) {
	c.add("bind", host)
	c.add("dir", at.dir)
	c.add("logfile", at.dir+"/"+logName)
	c.add("loglevel", "notice")
	if cfg.certs == nil {
		c.add("port", strconv.Itoa(at.port))
		return
	}
	c.add("port", "0")
	c.add("tls-port", strconv.Itoa(at.port))
	c.add("tls-cert-file", cfg.certs.CertFile)
	c.add("tls-key-file", cfg.certs.KeyFile)
	c.add("tls-ca-cert-file", cfg.certs.CAFile)
	c.add("tls-auth-clients", "yes")
	c.add("tls-replication", "yes")
}

// addServer writes the defaults of a data server: nothing on disk, and no wait
// before a replica is given its first copy (the default of Redis is 5 s).
func (c *conf) addServer() {
	c.add("save", `""`)
	c.add("appendonly", "no")
	c.add("repl-diskless-sync-delay", "0")
	c.add("enable-debug-command", "yes")
}

// addAuth writes who may log in, and as whom the server follows a master.
func (c *conf) addAuth(cfg config) {
	if cfg.password != "" {
		c.add("requirepass", cfg.password)
	}
	if len(cfg.aclUsers) > 0 {
		c.add("user", adminUser, "on", ">"+adminPassword, "~*", "&*", "+@all")
	}
	for _, user := range cfg.aclUsers {
		c.add("user", user)
	}
	c.addMasterAuth(cfg)
}

// addMasterAuth writes what the server logs in with as a replica. A master needs
// it too: after a failover it comes back as a replica of its peer.
func (c *conf) addMasterAuth(cfg config) {
	user, password := cfg.credentials()
	if cfg.master != nil {
		user, password = cfg.master.cfg.credentials()
	}
	if user != "" {
		c.add("masteruser", user)
	}
	if password != "" {
		c.add("masterauth", password)
	}
}

func (c *conf) addCluster(cfg config, at place) {
	c.add("cluster-enabled", "yes")
	c.add("cluster-port", strconv.Itoa(at.busPort))
	c.add("cluster-config-file", "nodes.conf")
	c.add("cluster-node-timeout", "2000")
	if cfg.certs != nil {
		c.add("tls-cluster", "yes")
	}
}

func (c *conf) addSentinel(cfg config) {
	master := cfg.watch
	c.add("sentinel monitor", MasterName, host, strconv.Itoa(master.at.port), "2")
	c.add("sentinel down-after-milliseconds", MasterName, "1000")
	c.add("sentinel failover-timeout", MasterName, "5000")
	user, password := master.cfg.credentials()
	if user != "" {
		c.add("sentinel auth-user", MasterName, user)
	}
	if password != "" {
		c.add("sentinel auth-pass", MasterName, password)
	}
	if cfg.sentinelPassword != "" {
		c.add("requirepass", cfg.sentinelPassword)
		c.add("sentinel sentinel-pass", cfg.sentinelPassword)
	}
}
