package apt

import (
	"fmt"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// addSystemAccounts makes the users and groups that a package's maintainer script would.
func addSystemAccounts(p *kernel.Process, pk Package) error {
	for _, g := range pk.Groups {
		if libc.GroupByName(p.Kernel, g) == nil {
			if err := addSystemGroup(p, g); err != nil {
				return err
			}
		}
	}
	for _, u := range pk.Users {
		if libc.UserByName(p.Kernel, u) != nil {
			continue
		}
		if libc.GroupByName(p.Kernel, u) == nil {
			if err := addSystemGroup(p, u); err != nil {
				return err
			}
		}
		uid := uint32(103)
		for libc.UserByID(p.Kernel, uid) != nil {
			uid++
		}
		line := fmt.Sprintf("%s:x:%d:%d::/nonexistent:/usr/sbin/nologin", u, uid, libc.GroupByName(p.Kernel, u).GID)
		if err := appendLine(p, "/etc/passwd", line); err != nil {
			return err
		}
		if err := appendLine(p, "/etc/shadow", u+":!:20221::::::"); err != nil {
			return err
		}
	}
	return nil
}

func addSystemGroup(p *kernel.Process, name string) error {
	gid := uint32(106)
	for libc.GroupByID(p.Kernel, gid) != nil {
		gid++
	}
	if err := appendLine(p, "/etc/group", fmt.Sprintf("%s:x:%d:", name, gid)); err != nil {
		return err
	}
	return appendLine(p, "/etc/gshadow", name+":!::")
}

func appendLine(p *kernel.Process, file, line string) error {
	b, err := p.ReadFile(file)
	if err != nil {
		return err
	}
	return libc.ReplaceFile(p, file, append(slices.Clip(b), line+"\n"...), 0o644)
}
