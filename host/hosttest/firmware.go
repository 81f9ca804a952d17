package hosttest

// cmdVcgencmd asks the firmware of a Raspberry Pi, which other machines have not.
func cmdVcgencmd(p *Process) int {
	if p.m.cfg.Model == "-" {
		p.warn("VCHI initialization failed\n")
		return 255
	}
	args := p.Args[1:]
	switch firstWord(args) {
	case "get_throttled":
		p.print("throttled=0x0\n")
	case "measure_temp":
		p.print("temp=45.0'C\n")
	case "version":
		p.print("2025/05/08 15:13:17\nCopyright (c) 2012 Broadcom\nversion 69471177 (release) (embedded)\n")
	default:
		p.print("error=1 error_msg=\"Command not registered\"\n")
		return 255
	}
	return 0
}

// cmdOpenssl tells its version.
func cmdOpenssl(p *Process) int {
	if firstWord(p.Args[1:]) != "version" {
		p.errorf("hosttest: this openssl knows only version")
		return 1
	}
	p.print("OpenSSL 3.0.16 11 Feb 2025 (Library: OpenSSL 3.0.16 11 Feb 2025)\n")
	return 0
}

// cmdIptables tells its version.
func cmdIptables(p *Process) int {
	if a := firstWord(p.Args[1:]); a != "-V" && a != "--version" {
		p.errorf("hosttest: this iptables knows only --version")
		return 2
	}
	p.print("iptables v1.8.9 (nf_tables)\n")
	return 0
}
