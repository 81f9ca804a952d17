package pgprov

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// cpu returns how much processor time the server and its processes have used, those that ended included; 0 where
// there is no /proc. Unlike the time that passes, it hardly depends on what else the machine does.
func (f *fleet) cpu() time.Duration {
	file, err := os.ReadFile(filepath.Join(f.pg.Data, "postmaster.pid"))
	if err != nil {
		return 0
	}
	postmaster, _, _ := strings.Cut(string(file), "\n")
	ticks := 0
	add := func(pid string, fields ...int) {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil {
			return
		}
		values := strings.Fields(string(stat)[strings.LastIndexByte(string(stat), ')')+1:])
		for _, n := range fields {
			var v int
			_, _ = fmt.Sscan(values[n], &v)
			ticks += v
		}
	}
	const user, system, childrenUser, childrenSystem = 11, 12, 13, 14 // proc(5), counted from the state
	add(postmaster, user, system, childrenUser, childrenSystem)
	lists, _ := filepath.Glob("/proc/" + postmaster + "/task/*/children")
	for _, list := range lists {
		children, _ := os.ReadFile(list)
		for pid := range strings.FieldsSeq(string(children)) {
			add(pid, user, system)
		}
	}
	return time.Duration(ticks) * time.Second / 100 // USER_HZ
}
