package accounts

import "gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"

func cmdChage(p *kernel.Process) int {
	o, ok := operand(p, "d:E:I:lm:M:W:",
		"lastday=>d expiredate=>E inactive=>I list>l mindays=>m maxdays=>M warndays=>W",
		"[options] LOGIN")
	if !ok {
		return 2
	}
	if p.UID != 0 {
		return refuse(p, 1, "Permission denied.")
	}
	f, ok := openUserFiles(p, 1)
	if !ok {
		return 1
	}
	sh := f.shadowOf(o.Args[0])
	if sh == nil {
		return refuse(p, 1, "user '%s' does not exist in /etc/passwd", o.Args[0])
	}
	for opt, i := range map[string]int{"d": 2, "m": 3, "M": 4, "W": 5, "I": 6, "E": 7} {
		if o.Has(opt) {
			sh[i] = o.Get(opt)
			if sh[i] == "-1" {
				sh[i] = ""
			}
		}
	}
	if o.Has("l") {
		p.Printf("Minimum number of days between password change\t\t: %s\n"+
			"Maximum number of days between password change\t\t: %s\n"+
			"Number of days of warning before password expires\t: %s\n", sh[3], sh[4], sh[5])
		return 0
	}
	return f.save()
}
