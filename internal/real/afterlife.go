package real

import (
	"fmt"
	"io"
	"os/exec"
	"syscall"
)

// removeAfterDeath starts a small shell that outlives this process if it is
// killed, and then removes dir as soon as the server in it, which the kernel
// stops, has exited: it tries for two minutes. The function that it returns
// stops the shell; dir may then be removed or kept.
func removeAfterDeath(dir string) (dismiss func(), err error) {
	sh := exec.Command("/bin/sh", "-c", `
read -r word && exit 0
for try in $(seq 120); do sleep 1; rm -rf "$1" 2>/dev/null && exit 0; done`, "sh", dir)
	sh.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // Ctrl-C must not reach it
	pipe, err := sh.StdinPipe()
	if err == nil {
		err = sh.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("watch over %s: %w", dir, err)
	}
	return func() {
		_, _ = io.WriteString(pipe, "dismissed\n")
		_ = pipe.Close()
		_ = sh.Wait()
	}, nil
}
