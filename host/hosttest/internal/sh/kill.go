package sh

import (
	"strconv"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

func cmdKill(p *kernel.Process) int {
	return kill(p, p.Args, func(f string, a ...any) { p.Warnf(f+"\n", a...) }, func(pid string, err error) {
		p.Errorf("(%s): %s", pid, kernel.Strerror(err))
	})
}

func biKill(sh *shell, args []string) int {
	return kill(sh.p, args, sh.warnf, func(_ string, err error) { sh.warnf("kill: %s\n", kernel.Strerror(err)) })
}

// kill is kill(1), as a built-in or a program.
func kill(p *kernel.Process, args []string, warn func(string, ...any), failed func(pid string, err error)) int {
	sig := kernel.SigTERM
	i := 1
	if i < len(args) && len(args[i]) > 1 && args[i][0] == '-' && args[i] != "--" {
		switch a := args[i]; {
		case a == "-l" || a == "-L":
			for _, n := range kernel.SignalNames[1:] {
				p.Print(n, "\n")
			}
			p.Flush()
			return 0
		case a == "-s" || a == "-n":
			if i+1 >= len(args) {
				warn("kill: No arg for -s option")
				return 2
			}
			i++
			sig = kernel.SignalNumber(args[i])
		default:
			sig = kernel.SignalNumber(a[1:])
		}
		if sig < 0 {
			warn("kill: Illegal option -%c", args[i][min(1, len(args[i])-1)])
			return 2
		}
		i++
	}
	if i < len(args) && args[i] == "--" {
		i++
	}
	if i >= len(args) {
		warn("kill: Usage: kill [-s sigspec | -signum | -sigspec] [pid | job]... or\nkill -l [exitstatus]")
		return 2
	}
	code := 0
	for _, a := range args[i:] {
		n, err := strconv.Atoi(a)
		if err != nil {
			warn("kill: Illegal number: %s", a)
			return 2
		}
		if err := p.Kill(n, sig); err != nil {
			failed(a, err)
			code = 1
		}
	}
	return code
}
