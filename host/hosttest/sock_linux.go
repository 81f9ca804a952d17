package hosttest

import "syscall"

const msgDontWait = syscall.MSG_DONTWAIT
