package hosttest

import (
	"context"
	"io"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/systemd"
)

// A Command is a program that a package or a test adds to a machine. It returns the exit code.
type Command func(p *Process) int

// A Process is a running program of a Machine. A [Command] gets the one it runs as.
//
// Its methods are for the goroutine of the command. When the process is killed they do not return; what the command
// started by itself must watch [Process.Context].
type Process struct {
	Args []string // with the program's name first
	Env  []string // "NAME=value"
	Dir  string   // working directory
	PID  int

	m    *Machine
	proc *kernel.Process
}

// program is a command as the kernel runs it.
func (m *Machine) program(c Command) kernel.Program {
	return func(p *kernel.Process) int {
		return c(&Process{Args: p.Args, Env: p.Env, Dir: p.Dir, PID: p.PID, m: m, proc: p})
	}
}

// Context ends when the process does.
func (p *Process) Context() context.Context { return p.proc.Context() }

// Machine is where the process runs.
func (p *Process) Machine() *Machine { return p.m }

// UID is the effective user.
func (p *Process) UID() int { return int(p.proc.UID) }

// GID is the effective group.
func (p *Process) GID() int { return int(p.proc.GID) }

// Getenv gives a variable of the environment, or "".
func (p *Process) Getenv(name string) string { return p.proc.Getenv(name) }

// Stdin is descriptor 0. It reads no more than it is asked for.
func (p *Process) Stdin() io.Reader { return p.proc.Stdin() }

// Stdout is descriptor 1, unbuffered.
func (p *Process) Stdout() io.Writer { return p.proc.Stdout() }

// Stderr is descriptor 2, unbuffered.
func (p *Process) Stderr() io.Writer { return p.proc.Stderr() }

// Run runs another program of the machine as a child and waits for it, with this process's descriptors and environment.
// The exit code is 127 when there is no such program, 126 when it cannot be executed, and 128 plus the signal's number
// when it was killed.
func (p *Process) Run(args ...string) int { return libc.Run(p.proc, args...) }

// Ready tells the service manager that a service of Type=notify is up, as sd_notify(3) READY=1 does. Until then
// "systemctl start" waits.
func (p *Process) Ready() { systemd.Ready(p.proc) }
