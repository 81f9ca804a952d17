package real

import (
	"os/exec"
	"syscall"
)

func startBound(cmd *exec.Cmd, sig syscall.Signal) (release func(), err error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = sig
	return func() {}, cmd.Start()
}
