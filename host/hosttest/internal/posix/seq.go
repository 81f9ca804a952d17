package posix

import (
	"fmt"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdSeq(p *kernel.Process) int {
	var f, sep string
	sep = "\n"
	wide := false
	args := p.Args[1:]
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' && (args[0][1] < '0' || args[0][1] > '9') &&
		args[0][1] != '.' {
		switch {
		case args[0] == "-w":
			wide = true
		case (args[0] == "-s" || args[0] == "-f") && len(args) > 1:
			if args[0] == "-s" {
				sep = args[1]
			} else {
				f = args[1]
			}
			args = args[1:]
		case strings.HasPrefix(args[0], "-s"):
			sep = args[0][2:]
		case args[0] == "--":
		default:
			p.Errorf("invalid option -- '%s'", args[0][1:2])
			return libc.Usage(p, 1)
		}
		args = args[1:]
	}
	if len(args) == 0 {
		p.Errorf("missing operand")
		return libc.Usage(p, 1)
	}
	if len(args) > 3 {
		p.Errorf("extra operand %s", libc.Quote(args[3]))
		return libc.Usage(p, 1)
	}
	prec := 0
	nums := make([]float64, len(args))
	for i, a := range args {
		v, err := strconv.ParseFloat(a, 64)
		if err != nil {
			p.Errorf("invalid floating point argument: %s", libc.Quote(a))
			return libc.Usage(p, 1)
		}
		nums[i] = v
		if _, frac, ok := strings.Cut(a, "."); ok && (i < len(args)-1 || len(args) == 1) {
			prec = max(prec, len(frac))
		}
	}
	from, step, to := 1.0, 1.0, nums[len(nums)-1]
	if len(nums) > 1 {
		from = nums[0]
	}
	if len(nums) == 3 {
		step = nums[1]
	}
	if step == 0 {
		p.Errorf("invalid Zero increment value: %s", libc.Quote(args[1]))
		return libc.Usage(p, 1)
	}
	width := 0
	if wide {
		width = max(len(strconv.FormatFloat(from, 'f', prec, 64)), len(strconv.FormatFloat(to, 'f', prec, 64)))
	}
	n := 0
	for i := 0; ; i++ {
		v := from + float64(i)*step
		if step > 0 && v > to+1e-9 || step < 0 && v < to-1e-9 {
			break
		}
		if n > 0 {
			p.Print(sep)
		}
		n++
		s := strconv.FormatFloat(v, 'f', prec, 64)
		if f != "" {
			s = fmt.Sprintf(f, v)
		}
		for len(s) < width {
			s = "0" + s
		}
		p.Print(s)
	}
	if n > 0 {
		p.Print("\n")
	}
	return 0
}
