package real

import (
	"os/exec"
	"syscall"
)

// startBound starts cmd, which gets sig when this thread ends.
func startBound(cmd *exec.Cmd, sig syscall.Signal) (release func(), err error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = sig
	return func() {}, cmd.Start()
}
