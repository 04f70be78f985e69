package statelink_test

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/redismanager"
	"github.com/statelink/statelink/scripts"
)

// agreedManager is the contract for the manager, method by method.
type agreedManager interface {
	GetConnection(ctx context.Context) (*redis.Client, error)
	ReleaseConnection(client *redis.Client)
	HealthCheck(ctx context.Context) error
	Close() error
	GetPoolStats() map[string]interface{}
	LoadScript(ctx context.Context, name string) (string, error)
	ExecuteScript(ctx context.Context, script string, keys []string, args []interface{}) (interface{}, error)
	PreloadScripts(ctx context.Context) error
	GetScriptSHA(name string) (string, error)
	GetConfig() *redismanager.RedisConfig
	UpdateConfig(config *redismanager.RedisConfig) error
}

// agreedExecutor is the contract for the executor, method by method.
type agreedExecutor interface {
	SetServiceState(ctx context.Context, namespace, serviceName string, podID int, state string) error
	GetServiceState(ctx context.Context, namespace, serviceName string) (map[int]string, error)
	SetWorkloadState(ctx context.Context, namespace, serviceName, state string) error
	GetWorkloadState(ctx context.Context, namespace, serviceName string) (string, error)
	GetWorkloadStateBatch(ctx context.Context, namespace string, serviceNames []string) (map[string]string, error)
	SetLinkedPod(ctx context.Context, namespace, uid, serviceName string, podID, persistSeconds int) (previousPod int, err error)
	TrySetLinkedPod(ctx context.Context, namespace, uid, serviceName string, podID, persistSeconds int) (ok bool, currentPod int, err error)
	SetLinkedPodIfAbsent(ctx context.Context, namespace, uid, serviceName string, podID, persistSeconds int) (currentPod int, err error)
	GetLinkedPod(ctx context.Context, namespace, uid, serviceName string) (int, error)
	GetLinkedPodIfPersist(ctx context.Context, namespace, uid, serviceName string) (int, error)
	BatchGetLinkedPod(ctx context.Context, namespace string, uids []string, serviceName string) (map[int][]string, error)
	RemoveLinkedPod(ctx context.Context, namespace, uid, serviceName string, persistSeconds int) (bool, error)
	RemoveLinkedPodWithId(ctx context.Context, namespace, uid, serviceName string, persistSeconds, podID int) (bool, error)
	GetLinkService(ctx context.Context, namespace, uid string) (map[string]int, error)
	ComputeLinkedPodIfAbsent(ctx context.Context, namespace, uid, serviceName string, persistSeconds int) (int, error)
}

// agreedScripts has one method for each script, on explicit keys.
type agreedScripts interface {
	ExecuteSetLink(ctx context.Context, uidSvcKey, uidKey, serviceName string, podID, persistSeconds int) (int, error)
	ExecuteSetLinkIfAbsent(ctx context.Context, uidSvcKey, uidKey, serviceName string, podID, persistSeconds int) (int, error)
	ExecuteTrySetLink(ctx context.Context, uidSvcKey, uidKey, serviceName string, podID, persistSeconds int) (bool, int, error)
	ExecuteRemoveLink(ctx context.Context, uidSvcKey, uidKey, serviceName string, persistSeconds int) (bool, error)
	ExecuteRemoveLinkWithId(ctx context.Context, uidSvcKey, uidKey, serviceName string, persistSeconds, podID int) (bool, error)
	ExecuteGetLinkIfPersist(ctx context.Context, uidSvcKey string) (int, error)
	ExecuteComputeLinkIfAbsent(ctx context.Context, uidSvcKey, uidKey, serviceName string, persistSeconds, candidatePod, expectedPod int) (int, int, error)
	ExecuteGetServicePod(ctx context.Context, stateKey string, maxAge time.Duration, limit int) ([]statelink.PodLoad, error)
	ExecuteGetService(ctx context.Context, stateKey string) (time.Time, map[int]string, error)
	ExecuteSetState(ctx context.Context, stateKey string, podID int, load int64, routing statelink.Routing) (string, error)
	ExecuteGetLinkService(ctx context.Context, uidKey string) (map[string]int, error)
}

// Interfaces that can be assigned both ways have the same methods with the
// same signatures: none is missing, none is added.
var (
	_ redismanager.RedisManager = agreedManager(nil)
	_ agreedManager             = redismanager.RedisManager(nil)
	_ redismanager.RedisManager = (*redismanager.Manager)(nil)

	_ statelink.StatefulExecutor = agreedExecutor(nil)
	_ agreedExecutor             = statelink.StatefulExecutor(nil)
	_ statelink.StatefulExecutor = (*statelink.Executor)(nil)

	_ agreedScripts = (*statelink.ScriptExecutor)(nil)
)

func TestContract(t *testing.T) {
	t.Parallel()
	for _, contract := range []struct {
		agreed, offered reflect.Type
		methods         int
	}{
		{reflect.TypeFor[agreedManager](), reflect.TypeFor[redismanager.RedisManager](), 11},
		{reflect.TypeFor[agreedExecutor](), reflect.TypeFor[statelink.StatefulExecutor](), 15},
	} {
		require.Equal(t, contract.methods, contract.offered.NumMethod())
		require.Equal(t, signatures(contract.agreed, 0), signatures(contract.offered, 0))
		for name, signature := range signatures(contract.offered, 0) {
			if strings.Contains(signature, "error)") || strings.HasSuffix(signature, "error") {
				require.True(t, strings.HasPrefix(signature, "func(context.Context") || name == "Close" || name == "GetScriptSHA" || name == "UpdateConfig",
					"%s does I/O without a context", name)
			}
		}
	}
	require.Equal(t, -1, statelink.NoPod)
	require.Equal(t, -1, statelink.PersistForever)
}

// TestEachScriptHasItsMethod: ScriptExecutor has a method for every script of
// package scripts, and no other.
func TestEachScriptHasItsMethod(t *testing.T) {
	t.Parallel()
	methods := signatures(reflect.TypeFor[*statelink.ScriptExecutor](), 1)
	require.Equal(t, signatures(reflect.TypeFor[agreedScripts](), 0), methods)
	require.Len(t, methods, 11)
	for _, script := range scripts.All() {
		name := "Execute" + strings.TrimPrefix(script.Name, "stateful")
		require.Contains(t, methods, name)
		delete(methods, name)
	}
	require.Empty(t, methods)
}

// signatures gives the type of each method, without the receiver.
func signatures(typ reflect.Type, receivers int) map[string]string {
	list := map[string]string{}
	for i := range typ.NumMethod() {
		m := typ.Method(i)
		var in, out []reflect.Type
		for j := receivers; j < m.Type.NumIn(); j++ {
			in = append(in, m.Type.In(j))
		}
		for j := range m.Type.NumOut() {
			out = append(out, m.Type.Out(j))
		}
		list[m.Name] = reflect.FuncOf(in, out, m.Type.IsVariadic()).String()
	}
	return list
}

// TestScriptsAreOnTheServers: opening an executor loads every script on every
// master, under the SHA that its runs use.
func TestScriptsAreOnTheServers(t *testing.T) {
	t.Parallel()
	onEveryBackend(t, func(t *testing.T, s *stage) {
		rows, masters, err := s.Manager().VerifyScripts(s.ctx)
		require.NoError(t, err)
		require.Len(t, rows, len(scripts.All()))
		require.NotEmpty(t, masters)
		for _, row := range rows {
			require.Empty(t, row.Missing, row.Name)
		}
	})
}
