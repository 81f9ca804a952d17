package sh

import (
	"slices"

	"mvdan.cc/sh/v3/syntax"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func (sh *shell) ifClause(c *syntax.IfClause) {
	for c != nil {
		if len(c.Cond) == 0 { // else
			sh.stmts(c.Then)
			return
		}
		sh.tested++
		sh.stmts(c.Cond)
		sh.tested--
		if sh.leaving() {
			return
		}
		if sh.status == 0 {
			sh.stmts(c.Then)
			return
		}
		c = c.Else
	}
	sh.status = 0
}

// looped tells whether the loop goes on after its body.
func (sh *shell) looped() bool {
	if sh.ret {
		return false
	}
	if sh.brk > 0 {
		sh.brk--
		if sh.brk > 0 {
			return false
		}
		if sh.cont {
			sh.cont = false
			return true
		}
		return false
	}
	return true
}

func (sh *shell) while(c *syntax.WhileClause) {
	sh.loops++
	defer func() { sh.loops-- }()
	last := 0
	for {
		sh.tested++
		sh.stmts(c.Cond)
		sh.tested--
		if sh.leaving() {
			if !sh.looped() {
				if !sh.ret {
					sh.status = last
				}
				return
			}
			continue
		}
		if (sh.status == 0) == c.Until {
			break
		}
		sh.stmts(c.Do)
		last = sh.status
		if !sh.looped() {
			return
		}
	}
	sh.status = last
}

func (sh *shell) forLoop(c *syntax.ForClause) {
	it, ok := c.Loop.(*syntax.WordIter)
	if !ok || c.Select {
		sh.unsupported("for ((")
	}
	var items []string
	if it.InPos.IsValid() {
		items = sh.fields(it.Items)
	} else {
		items = slices.Clone(sh.params)
	}
	sh.loops++
	defer func() { sh.loops-- }()
	sh.status = 0
	for _, v := range items {
		sh.assign(it.Name.Value, v)
		sh.stmts(c.Do)
		if !sh.looped() {
			return
		}
	}
}

func (sh *shell) caseClause(c *syntax.CaseClause) {
	sh.subst = 0
	word := sh.word(c.Word)
	for _, it := range c.Items {
		for _, pat := range it.Patterns {
			if libc.ShellMatch(sh.pattern(pat), word) {
				sh.status = 0
				sh.stmts(it.Stmts)
				if it.Op != syntax.Break {
					sh.unsupported(it.Op.String())
				}
				return
			}
		}
	}
	sh.status = 0
}
