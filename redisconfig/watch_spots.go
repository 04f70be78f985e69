package redisconfig

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxLinks ends the walk along links that form a ring, as the kernel does.
const maxLinks = 40

// spots are the names whose change can lead path elsewhere: every symbolic link
// on the way, then the file, or instead the first name that is missing. So a
// ConfigMap is followed by its link ..data, and a missing folder by its parent.
func spots(path string) []string {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil
	}
	var found []string
	at, rest := cutRoot(path)
	for links := 0; len(rest) > 0; {
		next := filepath.Join(at, rest[0])
		rest = rest[1:]
		info, err := os.Lstat(next)
		if err != nil {
			return append(found, next)
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		found = append(found, next)
		target, err := os.Readlink(next)
		if links++; err != nil || links > maxLinks {
			return found
		}
		if filepath.IsAbs(target) {
			var names []string
			at, names = cutRoot(target)
			rest = append(names, rest...)
			continue
		}
		rest = append(splitPath(target), rest...)
	}
	return append(found, at)
}

// cutRoot splits an absolute path into its root and the names below.
func cutRoot(path string) (root string, names []string) {
	volume := filepath.VolumeName(path)
	return volume + string(filepath.Separator), splitPath(path[len(volume):])
}

func splitPath(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r < 0x80 && os.IsPathSeparator(uint8(r)) })
}
