package redistest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

var errDown = errors.New("server is down")

// Options returns fresh client options for this server: address, credentials
// and TLS, no retries and no commands at connect that Redis 7.0 does not know.
func (s *Server) Options() *redis.Options {
	user, password := s.cfg.credentials()
	return &redis.Options{
		Addr:            s.Addr(),
		Username:        user,
		Password:        password,
		TLSConfig:       s.clientTLS(),
		MaxRetries:      -1,
		DialerRetries:   1,
		DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{
			Mode: maintnotifications.ModeDisabled,
		},
	}
}

func (s *Server) clientTLS() *tls.Config {
	if s.cfg.certs == nil {
		return nil
	}
	return s.cfg.certs.ClientTLS()
}

// Client returns a client with Options, closed at the end of the test.
func (s *Server) Client(tb testing.TB) *redis.Client {
	tb.Helper()
	client := redis.NewClient(s.Options())
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

// Info returns one field of INFO, such as Info(t, "replication", "role"). It
// fails the test if the server does not answer or has no such field.
func (s *Server) Info(tb testing.TB, section, field string) string {
	tb.Helper()
	value, err := s.infoField(section, field)
	if err != nil {
		tb.Fatalf("redistest: %s: %v\n%s", s.Addr(), err, s.LogTail())
	}
	return value
}

// adminOptions are those of the harness itself. They give up soon, because it
// also speaks to servers that are paused or dead.
func (s *Server) adminOptions() *redis.Options {
	opts := s.Options()
	opts.DialTimeout = time.Second
	opts.ReadTimeout = time.Second
	opts.PoolSize = 1
	return opts
}

func (s *Server) adminClient() *redis.Client {
	return redis.NewClient(s.adminOptions())
}

// admin runs one conversation with the server.
func (s *Server) admin(talk func(ctx context.Context, c *redis.Client) error) error {
	if !s.running() {
		return errDown
	}
	client := s.adminClient()
	defer client.Close()
	return talk(context.Background(), client)
}

// answers checks that the server is ready and that it is the one we started:
// if our own lost the race for its port, somebody else's may answer there. It
// knocks first, because the client would log every refused connection.
func answers(client *redis.Client, pid int) error {
	if err := knock(client.Options().Addr); err != nil {
		return err
	}
	if err := client.Ping(context.Background()).Err(); err != nil {
		return err
	}
	got, err := infoField(client, "server", "process_id")
	if err != nil {
		return err
	}
	if got != strconv.Itoa(pid) {
		return fmt.Errorf("%w: pid %s answers instead of %d", errPortTaken, got, pid)
	}
	return nil
}

func knock(addr string) error {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return err
	}
	return conn.Close()
}

// inSync checks, from both sides, that replica follows master.
func inSync(master, replica *Server) error {
	link, err := replica.infoField("replication", "master_link_status")
	if err != nil {
		return err
	}
	if link != "up" {
		return fmt.Errorf("link of replica %s to its master is %s", replica.Addr(), link)
	}
	return masterFeeds(master, replica)
}

// masterFeeds checks that master lists the replica as one that gets the stream.
func masterFeeds(master, replica *Server) error {
	return master.admin(func(ctx context.Context, c *redis.Client) error {
		text, err := c.Info(ctx, "replication").Result()
		if err != nil {
			return err
		}
		want := fmt.Sprintf("port=%d,state=online", replica.at.port)
		if !strings.Contains(text, want) {
			return fmt.Errorf("master %s does not feed replica %s yet", master.Addr(), replica.Addr())
		}
		return nil
	})
}

func (s *Server) infoField(section, field string) (value string, err error) {
	err = s.admin(func(_ context.Context, c *redis.Client) error {
		value, err = infoField(c, section, field)
		return err
	})
	return value, err
}

func infoField(client *redis.Client, section, field string) (string, error) {
	text, err := client.Info(context.Background(), section).Result()
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(line, ":"); ok && key == field {
			return strings.TrimSpace(value), nil
		}
	}
	return "", fmt.Errorf("INFO %s has no field %q", section, field)
}
