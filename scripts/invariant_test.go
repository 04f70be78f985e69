package scripts_test

import (
	"context"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/scripts"
)

// TestIndexFollowsLinks runs random calls on a few links of one user: after each call the user hash holds exactly the
// persistent links, and no call changed the link of another service.
func TestIndexFollowsLinks(t *testing.T) {
	t.Parallel()
	client := redistest.SharedStandalone(t).Client(t)
	writers := []string{
		scripts.SetLink, scripts.SetLinkIfAbsent, scripts.TrySetLink,
		scripts.RemoveLink, scripts.RemoveLinkWithId, scripts.ComputeLinkIfAbsent,
	}
	rapid.Check(t, func(rt *rapid.T) {
		user := newStage(t, client)
		for range rapid.IntRange(1, 20).Draw(rt, "calls") {
			script, _ := scripts.Get(rapid.SampledFrom(writers).Draw(rt, "script"))
			service := rapid.SampledFrom([]string{"chat", "game", "room"}).Draw(rt, "service")
			user.keys["link"] = user.keys["user"] + service
			others := user.find(rt)
			delete(others, user.keys["link"])
			delete(others, user.keys["user"])

			_, err := user.run(script, drawArgs(rt, script, service))
			require.NoError(rt, err)

			found := user.find(rt)
			require.Equal(rt, persistentLinks(found, user.keys["user"]), index(rt, client, user.keys["user"]))
			delete(found, user.keys["link"])
			delete(found, user.keys["user"])
			require.Equal(rt, others, found)
		}
	})
}

func drawArgs(rt *rapid.T, script scripts.Script, service string) (args []any) {
	for _, name := range script.Args {
		switch name {
		case "service":
			args = append(args, service)
		case "ttl":
			args = append(args, rapid.SampledFrom([]int{-1, soon, later}).Draw(rt, name))
		case "expected":
			args = append(args, rapid.IntRange(-1, 2).Draw(rt, name))
		default:
			args = append(args, rapid.IntRange(0, 2).Draw(rt, name))
		}
	}
	return args
}

// persistentLinks derives the user hash from the link strings.
func persistentLinks(found map[string]stored, user string) hash {
	links := hash{}
	for key, entry := range found {
		if key != user && entry.ttl == "none" {
			links[key[len(user):]] = entry.value.(string)
		}
	}
	return links
}

func index(t tester, client *redis.Client, user string) hash {
	t.Helper()
	fields, err := client.HGetAll(context.Background(), user).Result()
	require.NoError(t, err)
	return fields
}
