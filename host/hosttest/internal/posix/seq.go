package posix

import (
	"fmt"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// A seqRun is what one seq is to print.
type seqRun struct {
	format, sep    string
	wide           bool
	from, step, to float64
	precision      int
}

func cmdSeq(p *kernel.Process) int {
	q := &seqRun{sep: "\n", from: 1, step: 1}
	args, ok := q.options(p)
	if !ok || !q.operands(p, args) {
		return libc.Usage(p, 1)
	}
	q.print(p)
	return 0
}

// options reads the options; a negative number is none.
func (q *seqRun) options(p *kernel.Process) (args []string, ok bool) {
	args = p.Args[1:]
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' && strings.IndexByte("0123456789.", args[0][1]) < 0 {
		switch {
		case args[0] == "-w":
			q.wide = true
		case (args[0] == "-s" || args[0] == "-f") && len(args) > 1:
			if args[0] == "-s" {
				q.sep = args[1]
			} else {
				q.format = args[1]
			}
			args = args[1:]
		case strings.HasPrefix(args[0], "-s"):
			q.sep = args[0][2:]
		case args[0] == "--":
		default:
			p.Errorf("invalid option -- '%s'", args[0][1:2])
			return nil, false
		}
		args = args[1:]
	}
	return args, true
}

// operands reads LAST, FIRST LAST or FIRST STEP LAST.
func (q *seqRun) operands(p *kernel.Process, args []string) bool {
	if len(args) == 0 {
		p.Errorf("missing operand")
		return false
	}
	if len(args) > 3 {
		p.Errorf("extra operand %s", libc.Quote(args[3]))
		return false
	}
	nums := make([]float64, len(args))
	for i, a := range args {
		v, err := strconv.ParseFloat(a, 64)
		if err != nil {
			p.Errorf("invalid floating point argument: %s", libc.Quote(a))
			return false
		}
		nums[i] = v
		if _, frac, ok := strings.Cut(a, "."); ok && (i < len(args)-1 || len(args) == 1) {
			q.precision = max(q.precision, len(frac))
		}
	}
	q.to = nums[len(nums)-1]
	if len(nums) > 1 {
		q.from = nums[0]
	}
	if len(nums) == 3 {
		q.step = nums[1]
	}
	if q.step == 0 {
		p.Errorf("invalid Zero increment value: %s", libc.Quote(args[1]))
		return false
	}
	return true
}

func (q *seqRun) number(v float64) string { return strconv.FormatFloat(v, 'f', q.precision, 64) }

func (q *seqRun) print(p *kernel.Process) {
	width := 0
	if q.wide {
		width = max(len(q.number(q.from)), len(q.number(q.to)))
	}
	n := 0
	for ; ; n++ {
		v := q.from + float64(n)*q.step
		if q.step > 0 && v > q.to+1e-9 || q.step < 0 && v < q.to-1e-9 {
			break
		}
		if n > 0 {
			p.Print(q.sep)
		}
		s := q.number(v)
		if q.format != "" {
			s = fmt.Sprintf(q.format, v)
		}
		p.Print(strings.Repeat("0", max(0, width-len(s))), s)
	}
	if n > 0 {
		p.Print("\n")
	}
}
