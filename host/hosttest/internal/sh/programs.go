package sh

import "gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"

// Programs are the shells, and the programs that are also built into them.
func Programs() map[string]kernel.Program {
	return map[string]kernel.Program{
		"kill": cmdKill, "sh": cmdSh, "dash": cmdSh, "bash": cmdSh, "test": cmdTest, "[": cmdTest,
		"printf": cmdPrintf, "echo": cmdEcho,
		"true":  func(*kernel.Process) int { return 0 },
		"false": func(*kernel.Process) int { return 1 },
		"pwd":   func(p *kernel.Process) int { p.Print(p.Dir, "\n"); return 0 },
	}
}
