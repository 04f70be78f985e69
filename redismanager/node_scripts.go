package redismanager

import (
	"context"
	"errors"
	"sync"

	"github.com/redis/go-redis/v9"
)

// maxNodeScripts bounds what is remembered of one node. Sources given in calls
// could otherwise be without end.
const maxNodeScripts = 4096

// nodeScripts remembers which scripts a node was given, by SHA, so that a batch
// needs to make sure only once. A node may forget (SCRIPT FLUSH, a restart)
// without telling: its answer NOSCRIPT counts. The zero value is ready.
type nodeScripts struct {
	mu     sync.Mutex
	known  map[string]struct{}
	noLoad bool // the user may not SCRIPT LOAD
	noEval bool // the user may not EVAL
}

func (s *nodeScripts) has(sha string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, known := s.known[sha]
	return known
}

func (s *nodeScripts) add(sha string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil || len(s.known) >= maxNodeScripts {
		s.known = map[string]struct{}{}
	}
	s.known[sha] = struct{}{}
}

func (s *nodeScripts) forget(sha string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, sha)
}

func (s *nodeScripts) mayLoad() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.noLoad
}

func (s *nodeScripts) mayEval() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.noEval
}

func (s *nodeScripts) refuseEval() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noEval = true
}

// loaded notes the answer to one SCRIPT LOAD.
func (s *nodeScripts) loaded(sha string, err error) {
	if err == nil {
		s.add(sha)
		return
	}
	if isServerError(err) && errors.Is(serverClass(err.Error()), ErrAuth) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.noLoad = true
	}
}

// pipeliner is a client or one connection.
type pipeliner interface{ Pipeline() redis.Pipeliner }

// load gives the node scripts by SCRIPT LOAD, in one pipeline, and gives the
// error of each that it refused. Loading changes no data: it may be repeated.
func (s *nodeScripts) load(ctx context.Context, c pipeliner, bodies []body) map[string]error {
	pipe := c.Pipeline()
	cmds := make([]*redis.Cmd, len(bodies))
	for i, b := range bodies {
		cmds[i] = pipe.Do(ctx, "script", "load", b.source)
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	var refused map[string]error
	for i, b := range bodies {
		err := cmds[i].Err()
		s.loaded(b.sha, err)
		if err != nil {
			if refused == nil {
				refused = map[string]error{}
			}
			refused[b.sha] = err
		}
	}
	return refused
}

// unknown lists the scripts that the node is not known to have, each once.
func (s *nodeScripts) unknown(bodies []body) []body {
	var list []body
	seen := map[string]bool{}
	for _, b := range bodies {
		if !seen[b.sha] && !s.has(b.sha) {
			list = append(list, b)
		}
		seen[b.sha] = true
	}
	return list
}

// lostLoad finds a failure that is no refusal: the node could not be asked.
func lostLoad(refused map[string]error) error {
	for _, err := range refused {
		if !isServerError(err) {
			return err
		}
	}
	return nil
}

func isUncompiled(err error) bool {
	return isServerError(err) && errors.Is(serverClass(err.Error()), ErrScriptCompile)
}
