package main

import (
	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/internal/login"
)

// say says with which flag a setting is set; "" when there is none.
func say(s lab.Setting) string {
	switch s.Name {
	case compose.SettingPlain:
		return "--plain " + s.Value
	case compose.SettingVariable:
		return "--var " + s.Value + "=VALUE"
	case compose.SettingLock:
		return "stack lock"
	}
	return login.Say(s)
}
