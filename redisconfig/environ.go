package redisconfig

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// environment names the source in errors.
const environment = "the environment"

// variables are those of the environment that are ours: prefix_CONFIG and
// prefix_REDIS_..., without those that Kubernetes made. No other is looked at.
func (l *loader) variables(o options) map[string]string {
	ours := map[string]string{}
	if o.noEnv {
		return ours
	}
	for _, line := range o.environ() {
		name, value, _ := strings.Cut(line, "=")
		setting, ok := strings.CutPrefix(name, settingsPrefix(o.prefix))
		if ok && madeByKubernetes(setting, value) || !ok && name != configVariable(o.prefix) {
			continue
		}
		if _, twice := ours[name]; !twice { // the first counts, as for os.Getenv
			ours[name] = value
		}
	}
	return ours
}

// configVariable names the file.
func configVariable(prefix string) string { return prefix + "_CONFIG" }

// settingsPrefix is STATELINK_REDIS_.
func settingsPrefix(prefix string) string { return prefix + "_" + strings.ToUpper(section) + "_" }

// kubernetesName matches what kubelet sets in each pod for a Service whose
// name begins as our variables do, such as statelink-redis-master:
// STATELINK_REDIS_MASTER_SERVICE_HOST, STATELINK_REDIS_PORT_6379_TCP_ADDR.
var kubernetesName = regexp.MustCompile(`^(.+_)?(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)

// kubernetesPort matches the value of its variable ..._PORT.
var kubernetesPort = regexp.MustCompile(`^(tcp|udp|sctp)://[^@]*$`)

func madeByKubernetes(setting, value string) bool {
	if setting == "PORT" || strings.HasSuffix(setting, "_PORT") {
		return kubernetesName.MatchString(setting) || kubernetesPort.MatchString(value)
	}
	return kubernetesName.MatchString(setting)
}

// addEnvironment adds the variables that are not empty: an empty one counts as
// not set.
func (l *loader) addEnvironment(o options, env map[string]string) {
	src := source{name: environment, texts: true, spell: func(name string) string { return envName(o.prefix, name) }}
	raw, left := map[string]any{}, maps.Clone(env)
	delete(left, configVariable(o.prefix))
	for _, k := range keyTable {
		variable := src.spell(k.name)
		if value := left[variable]; value != "" {
			raw[k.name] = value
		}
		delete(left, variable)
	}
	for _, variable := range slices.Sorted(maps.Keys(left)) {
		l.refuseVariable(src, variable, strings.TrimPrefix(variable, settingsPrefix(o.prefix)))
	}
	l.addSource(src, raw)
}

func (l *loader) refuseVariable(src source, variable, setting string) {
	at := place{key: variable, source: src.name}
	near := suggest(setting)
	if near == "" {
		l.refuse(at, "unknown variable")
		return
	}
	l.breaks(near)
	l.refuse(at, "unknown variable, did you mean %s?", src.spell(near))
}

// addOverrides adds what the program itself has set.
func (l *loader) addOverrides(o options) {
	src := source{name: "the overrides", texts: true, spell: fullName}
	raw := map[string]any{}
	l.flatten(src, "", o.overrides, raw)
	if o.url != "" {
		if url, both := raw["url"]; both && !isUnset(url) {
			l.refuse(src.place("url"), "given by both WithURL and WithOverrides")
		}
		raw["url"] = o.url
	}
	l.addSource(src, raw)
}
