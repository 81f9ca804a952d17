package real

import (
	"os"
	"os/exec"
	"path/filepath"
)

// findBinary looks for name in PATH and then in dirs, which may be patterns. It
// returns "" if it does not find it.
func findBinary(name string, dirs ...string) string {
	if p, err := exec.LookPath(name); err == nil {
		if abs, err := filepath.Abs(p); err == nil {
			return abs // sshd requires an absolute path
		}
	}
	for _, d := range dirs {
		found, _ := filepath.Glob(filepath.Join(d, name))
		for _, f := range found {
			if st, err := os.Stat(f); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
				return f
			}
		}
	}
	return ""
}
