package utillinux

import "gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"

// cmdIptables tells its version.
func cmdIptables(p *kernel.Process) int {
	if len(p.Args) < 2 || p.Args[1] != "-V" && p.Args[1] != "--version" {
		p.Errorf("hosttest: this iptables knows only --version")
		return 2
	}
	p.Print("iptables v1.8.9 (nf_tables)\n")
	return 0
}
