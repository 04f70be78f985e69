package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/statelink/statelink/redisconfig"
	"github.com/statelink/statelink/redismanager"
)

// configError is a configuration that cannot be used.
type configError struct{ error }

func (e configError) Unwrap() error { return e.error }

// loadConfig merges defaults, file, environment and flags.
func (p *program) loadConfig() (redismanager.RedisConfig, error) {
	if err := p.oneRedis(); err != nil {
		return redismanager.RedisConfig{}, err
	}
	return loaded(redisconfig.LoadRedisConfig(
		redisconfig.WithEnvironment(p.environ),
		redisconfig.WithFile(p.flags.config),
		redisconfig.WithURL(p.flags.redis),
	))
}

// whichRedis are the variables that say which Redis is meant, not how to use it.
var whichRedis = []string{
	"STATELINK_REDIS_URL", "STATELINK_REDIS_ADDR", "STATELINK_REDIS_ADDRS",
	"STATELINK_REDIS_MODE", "STATELINK_REDIS_MASTER_NAME",
}

// oneRedis refuses --config beside a variable that names a Redis: the variable
// would win, and a command would change what its user did not mean.
func (p *program) oneRedis() error {
	if p.flags.config == "" || p.flags.redis != "" {
		return nil
	}
	for _, name := range whichRedis {
		if p.env(name, "") != "" {
			return configError{fmt.Errorf("--config and %s both say which Redis: unset one", name)}
		}
	}
	return nil
}

// loadFile takes one file alone, as another machine would.
func loadFile(path string) (redismanager.RedisConfig, error) {
	return loaded(redisconfig.LoadRedisConfig(redisconfig.WithoutEnv(), redisconfig.WithFile(path)))
}

func loaded(config *redismanager.RedisConfig, err error) (redismanager.RedisConfig, error) {
	if err == nil {
		return *config, nil
	}
	var problems []error
	for _, problem := range flatten(err) {
		problems = append(problems, errors.New(problemText(problem)))
	}
	return redismanager.RedisConfig{}, configError{errors.Join(problems...)}
}

// problemText names a setting as the user of this program gave it: what came
// from --redis is not "redis.url in the overrides".
func problemText(err error) string {
	var setting *redisconfig.SettingError
	if errors.As(err, &setting) && setting.Source == "the overrides" {
		return strings.Replace(setting.Key, "redis.url", "--redis", 1) + ": " + setting.Problem
	}
	return oneLine(err)
}

func defaultConfigFile() string { return redisconfig.Default() }

// variable is an environment variable that this program reads.
type variable struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	Default string `json:"default"`
	Secret  bool   `json:"secret"`
	Meaning string `json:"meaning"`
}

// redisVariables are those that say how to reach Redis.
func redisVariables() []variable {
	keys := redisconfig.Keys()
	list := make([]variable, len(keys))
	for i, k := range keys {
		list[i] = variable{Name: k.Env, Type: k.Type, Default: k.Default, Secret: k.Secret, Meaning: k.Doc}
	}
	return list
}
