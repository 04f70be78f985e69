package redistest

// Option changes how the servers of a topology are started.
type Option func(*config)

// config is everything that decides how one redis-server is started. It is
// passed by value: the servers of one topology differ in a few fields only.
type config struct {
	directives       []directive
	password         string
	aclUsers         []string
	certs            *Certs
	sentinelPassword string

	master  *Server // start as a replica of this server
	cluster bool    // start in cluster mode
	watch   *Server // start as a sentinel that watches this master
}

// directive is one line of redis.conf.
type directive struct{ key, value string }

// WithConfig adds a line to redis.conf, after the defaults of this package, so
// that it wins over them. The value is written as it is: quote what redis.conf
// wants quoted, as in WithConfig("save", `""`). Sentinels do not get it.
func WithConfig(key, value string) Option {
	return func(c *config) { c.directives = append(c.directives, directive{key, value}) }
}

// WithPassword sets the password of the default user, on replicas and for
// replication too. In a Sentinel set the sentinels know it but do not ask for
// one; see WithSentinelPassword.
func WithPassword(password string) Option {
	return func(c *config) { c.password = password }
}

// WithSentinelPassword makes the sentinels themselves ask for a password.
func WithSentinelPassword(password string) Option {
	return func(c *config) { c.sentinelPassword = password }
}

// WithACL adds users, each written as the rules of redis.conf without the word
// "user": "app on >secret ~app:* +@read". It also adds the user "redistest",
// who may do everything: the harness and Server.Client log in as that one, so
// that a test may restrict or switch off the default user.
func WithACL(users ...string) Option {
	return func(c *config) { c.aclUsers = append(c.aclUsers, users...) }
}

// WithTLS makes the servers listen on a TLS port only and refuse clients
// without a certificate of the same CA. Sentinels use it too.
func WithTLS(certs *Certs) Option {
	return func(c *config) { c.certs = certs }
}

// WithReplicaOf starts the server as a replica of srv; StartServer returns when
// the two are in sync. Password and TLS are those of srv unless set. Only for
// StartServer.
func WithReplicaOf(srv *Server) Option {
	return func(c *config) { c.master = srv }
}

func newConfig(opts []Option) config {
	var c config
	for _, opt := range opts {
		opt(&c)
	}
	if c.master != nil && c.password == "" {
		c.password = c.master.cfg.password
	}
	if c.master != nil && c.certs == nil {
		c.certs = c.master.cfg.certs
	}
	return c
}

// The user that WithACL adds for the harness.
const (
	adminUser     = "redistest"
	adminPassword = "redistest-admin"
)

// credentials are those the harness logs in with. A sentinel has its own.
func (c config) credentials() (user, password string) {
	switch {
	case c.watch != nil:
		return "", c.sentinelPassword
	case len(c.aclUsers) > 0:
		return adminUser, adminPassword
	default:
		return "", c.password
	}
}
