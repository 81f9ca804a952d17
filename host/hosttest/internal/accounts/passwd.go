package accounts

import (
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdPasswd(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "adeklSuqi:n:w:x:", "lock>l unlock>u delete>d status>S expire>e quiet>q")
	if !ok {
		p.Warnf("Usage: passwd [options] [LOGIN]\n")
		return 2
	}
	if libc.Unsupported(p, o, "k", "i", "n", "w", "x", "R") {
		return 1
	}
	name := libc.UserName(p.Kernel, p.RUID)
	if len(o.Args) > 0 {
		name = o.Args[0]
	}
	if libc.UserByName(p.Kernel, name) == nil {
		return refuse(p, 1, "user '%s' does not exist", name)
	}
	if p.RUID != 0 {
		p.Warnf("passwd: Permission denied.\n")
		return 1
	}
	f, ok := openUserFiles(p, 1)
	if !ok {
		return 1
	}
	sh := f.shadowOf(name)
	if sh == nil {
		return 1
	}
	switch {
	case o.Has("S"):
		st := "P"
		if strings.HasPrefix(sh[1], "!") || strings.HasPrefix(sh[1], "*") {
			st = "L"
		} else if sh[1] == "" {
			st = "NP"
		}
		days, _ := strconv.ParseInt(sh[2], 10, 64)
		p.Printf("%s %s %s %s %s %s -1\n", name, st, unixDay(days), sh[3], sh[4], sh[5])
		return 0
	case o.Has("l"):
		lockPassword(sh)
		p.Print("passwd: password changed.\n")
	case o.Has("u"):
		if sh[1] == "!" {
			return refuse(p, 3, "unlocking the password would result in a passwordless account.\n"+
				"You should set a password with usermod -p to unlock the password of this account.")
		}
		sh[1] = strings.TrimPrefix(sh[1], "!")
		p.Print("passwd: password changed.\n")
	case o.Has("d"):
		sh[1] = ""
		p.Print("passwd: password changed.\n")
	case o.Has("e"):
		sh[2] = "0"
		p.Print("passwd: password expiry information changed.\n")
	default:
		return refuse(p, 1, "hosttest: there is no terminal to ask for a password: use chpasswd")
	}
	return f.save()
}

func unixDay(n int64) string { return libc.Strftime("%Y-%m-%d", libc.TimeUnix(n*86400)) }
