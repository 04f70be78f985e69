package redisconfig

import "strings"

// maxSecretSize bounds password files: a larger one is another kind of file.
const maxSecretSize = 4 << 10

// readSecretFiles puts the content of password_file in the place of password,
// and that of sentinel_password_file likewise.
func (l *loader) readSecretFiles() {
	for _, name := range []string{"password", "sentinel_password"} {
		file, given := l.settings[name+"_file"]
		if !given {
			continue
		}
		delete(l.settings, name+"_file")
		path, _ := file.value.(string)
		l.others = append(l.others, path)
		secret, problem, cause := readSecret(path)
		if problem != "" {
			l.breaks(name)
			l.report(&SettingError{
				Key: file.at.key, Source: file.at.source,
				Problem: oneLine(path) + ": " + problem, Cause: cause,
			})
			continue
		}
		l.settings[name] = setting{value: secret, at: file.at}
	}
}

// readSecret drops one newline at the end, which editors and echo leave there.
func readSecret(path string) (secret, problem string, cause error) {
	data, problem, cause := readLimited(path, maxSecretSize)
	if problem != "" {
		return "", problem, cause
	}
	secret, ended := strings.CutSuffix(string(data), "\n")
	if ended {
		secret = strings.TrimSuffix(secret, "\r")
	}
	if secret == "" {
		return "", "empty", nil
	}
	return secret, "", nil
}
