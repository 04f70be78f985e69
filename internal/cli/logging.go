package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"sync"

	"github.com/redis/go-redis/v9"
)

// openLog sends logs to stderr if the user asked for them.
func (p *program) openLog() {
	if p.flags.verbose {
		p.log = slog.New(slog.NewTextHandler(p.errOut, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	redis.SetLogger(clientLog{p.log})
}

// clientLog takes the Redis client's own lines.
type clientLog struct{ log *slog.Logger }

// Printf logs one line of the client.
func (l clientLog) Printf(ctx context.Context, format string, args ...any) {
	l.log.InfoContext(ctx, "redis client: "+fmt.Sprintf(format, args...))
}

// maskingWriter hides credentials in URLs, for the case that a user's text is
// repeated to the user, and keeps concurrent writes apart.
type maskingWriter struct {
	mu     sync.Mutex
	w      io.Writer
	closed bool
}

func (m *maskingWriter) Write(b []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return len(b), nil
	}
	if _, err := io.WriteString(m.w, mask(string(b))); err != nil {
		return 0, err
	}
	return len(b), nil
}

// close drops what is still to come: the client's goroutines may log a little
// longer than the command runs.
func (m *maskingWriter) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
}

// inURL is everything of a URL up to the last @ of the word.
var inURL = regexp.MustCompile(`://\S*@`)

func mask(s string) string { return inURL.ReplaceAllString(s, "://***@") }
