//go:build !linux

package real

import (
	"fmt"
	"os/exec"
	"syscall"
)

// startBound uses a small shell instead of a parent-death signal. The shell waits
// for the end of a pipe that only this process holds open, and then sends sig.
func startBound(cmd *exec.Cmd, sig syscall.Signal) (release func(), err error) {
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	watch := exec.Command("/bin/sh", "-c", `read -r end; [ "$end" = done ] || kill -`+fmt.Sprint(int(sig))+` "$1"`,
		"sh", fmt.Sprint(cmd.Process.Pid))
	hold, err := watch.StdinPipe()
	if err == nil {
		err = watch.Start()
	}
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil, fmt.Errorf("watch over %s: %w", cmd.Path, err)
	}
	return func() {
		fmt.Fprintln(hold, "done")
		hold.Close()
		_ = watch.Wait()
	}, nil
}
