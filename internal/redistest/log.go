package redistest

import (
	"os"
	"path/filepath"
	"strings"
)

// logLines is how much of a log a failure message shows.
const logLines = 30

// LogTail returns the last lines the server wrote, for failure messages.
func (s *Server) LogTail() string {
	var lines []string
	for _, name := range []string{outName, logName} {
		text, err := os.ReadFile(filepath.Join(s.at.dir, name))
		if err == nil && len(text) > 0 {
			lines = append(lines, strings.Split(strings.TrimSpace(string(text)), "\n")...)
		}
	}
	if len(lines) > logLines {
		lines = lines[len(lines)-logLines:]
	}
	return strings.Join(lines, "\n")
}
