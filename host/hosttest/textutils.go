package hosttest

import "gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"

// textTools work on lines of text.
func textTools() map[string]kernel.Program {
	return map[string]kernel.Program{
		"grep": cmdGrep, "egrep": cmdGrep, "fgrep": cmdGrep, "sort": cmdSort, "uniq": cmdUniq, "cut": cmdCut, "tr": cmdTr,
		"wc": cmdWc, "seq": cmdSeq, "tac": cmdTac, "mawk": cmdAwk, "sed": cmdSed, "diff": cmdDiff, "paste": cmdPaste, "expr": cmdExpr,
	}
}
