package sshd

import "syscall"

const msgDontWait = syscall.MSG_DONTWAIT
