package sh

import (
	"errors"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func (sh *shell) arithError(msg string) int64 {
	sh.fail(2, "arithmetic expression: %s", msg)
	return 0
}

// arithm evaluates an arithmetic expression in signed 64 bits.
func (sh *shell) arithm(x syntax.ArithmExpr) int64 {
	switch x := x.(type) {
	case *syntax.Word:
		return sh.arithValue(sh.word(x), 0)
	case *syntax.ParenArithm:
		return sh.arithm(x.X)
	case *syntax.UnaryArithm:
		switch x.Op {
		case syntax.Not:
			return int64(libc.BoolToInt(sh.arithOperand(x.X) == 0))
		case syntax.BitNegation:
			return ^sh.arithOperand(x.X)
		case syntax.Plus:
			return sh.arithOperand(x.X)
		case syntax.Minus:
			return -sh.arithOperand(x.X)
		}
		return sh.arithError("expecting primary")
	case *syntax.BinaryArithm:
		return sh.binary(x)
	}
	return sh.arithError("expecting primary")
}

// arithOperand evaluates a part of an expression. The shell puts the text of $x into the expression before it looks at
// its operators; here they are known by then, and a text that brings its own is refused.
func (sh *shell) arithOperand(x syntax.ArithmExpr) int64 {
	w, ok := x.(*syntax.Word)
	if !ok || w.Lit() != "" {
		return sh.arithm(x)
	}
	s := strings.TrimSpace(sh.word(w))
	if s == "" {
		return sh.arithError("expecting primary")
	}
	if strings.ContainsFunc(strings.TrimLeft(s, "+-"), func(r rune) bool {
		return r != '_' && !libc.InClass("alnum", r)
	}) {
		sh.fail(2, "hosttest: the arithmetic operand %q has operators of its own: put it in parentheses", s)
	}
	return sh.arithValue(s, 0)
}

func (sh *shell) arithValue(s string, depth int) int64 {
	s = strings.TrimSpace(s)
	if s == "" {
		return 0
	}
	if n, err := strconv.ParseInt(s, 0, 64); err == nil && strings.IndexByte(s, '_') < 0 &&
		!strings.HasPrefix(s, "0b") && !strings.HasPrefix(s, "0o") {
		return n
	} else if errors.Is(err, strconv.ErrRange) && s[0] != '-' {
		return 1<<63 - 1
	}
	if libc.IsName(s) {
		v, ok := sh.special(s)
		if !ok { // of set -u, dash thinks only where there is a $
			return 0
		}
		v = strings.TrimSpace(v)
		if n, err := strconv.ParseInt(v, 0, 64); err == nil {
			return n
		}
		if v == "" {
			return 0
		}
		sh.fail(2, "Illegal number: %s", v)
	}
	if depth < 8 {
		if x, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Arithmetic(strings.NewReader(s)); err == nil {
			if w, ok := x.(*syntax.Word); !ok || w.Lit() != s {
				return sh.arithm(x)
			}
		}
	}
	return sh.arithError(`expecting EOF: "` + s + `"`)
}

func (sh *shell) binary(x *syntax.BinaryArithm) int64 {
	switch x.Op {
	case syntax.Assgn, syntax.AddAssgn, syntax.SubAssgn, syntax.MulAssgn, syntax.QuoAssgn, syntax.RemAssgn,
		syntax.AndAssgn, syntax.OrAssgn, syntax.XorAssgn, syntax.ShlAssgn, syntax.ShrAssgn:
		w, ok := x.X.(*syntax.Word)
		if !ok || !libc.IsName(w.Lit()) {
			return sh.arithError("expecting variable")
		}
		n := sh.arithm(x.Y)
		if x.Op != syntax.Assgn {
			ops := map[syntax.BinAritOperator]syntax.BinAritOperator{syntax.AddAssgn: syntax.Add,
				syntax.SubAssgn: syntax.Sub, syntax.MulAssgn: syntax.Mul, syntax.QuoAssgn: syntax.Quo,
				syntax.RemAssgn: syntax.Rem, syntax.AndAssgn: syntax.And, syntax.OrAssgn: syntax.Or,
				syntax.XorAssgn: syntax.Xor, syntax.ShlAssgn: syntax.Shl, syntax.ShrAssgn: syntax.Shr}
			n = sh.arithOp(ops[x.Op], sh.arithValue(w.Lit(), 0), n)
		}
		sh.assign(w.Lit(), strconv.FormatInt(n, 10))
		return n
	case syntax.AndArit:
		return int64(libc.BoolToInt(sh.arithm(x.X) != 0 && sh.arithm(x.Y) != 0))
	case syntax.OrArit:
		return int64(libc.BoolToInt(sh.arithm(x.X) != 0 || sh.arithm(x.Y) != 0))
	case syntax.TernQuest:
		alt, ok := x.Y.(*syntax.BinaryArithm)
		if !ok || alt.Op != syntax.TernColon {
			return sh.arithError("expecting ':'")
		}
		if sh.arithm(x.X) != 0 {
			return sh.arithm(alt.X)
		}
		return sh.arithm(alt.Y)
	}
	return sh.arithOp(x.Op, sh.arithOperand(x.X), sh.arithOperand(x.Y))
}

func (sh *shell) arithOp(op syntax.BinAritOperator, a, b int64) int64 {
	switch op {
	case syntax.Add:
		return a + b
	case syntax.Sub:
		return a - b
	case syntax.Mul:
		return a * b
	case syntax.Quo, syntax.Rem:
		if b == 0 {
			return sh.arithError("division by zero")
		}
		if b == -1 {
			if op == syntax.Rem {
				return 0
			}
			return -a
		}
		if op == syntax.Quo {
			return a / b
		}
		return a % b
	case syntax.Eql:
		return int64(libc.BoolToInt(a == b))
	case syntax.Neq:
		return int64(libc.BoolToInt(a != b))
	case syntax.Gtr:
		return int64(libc.BoolToInt(a > b))
	case syntax.Lss:
		return int64(libc.BoolToInt(a < b))
	case syntax.Leq:
		return int64(libc.BoolToInt(a <= b))
	case syntax.Geq:
		return int64(libc.BoolToInt(a >= b))
	case syntax.And:
		return a & b
	case syntax.Or:
		return a | b
	case syntax.Xor:
		return a ^ b
	case syntax.Shl:
		return a << (uint64(b) & 63)
	case syntax.Shr:
		return a >> (uint64(b) & 63)
	}
	return sh.arithError("unexpected operator")
}
