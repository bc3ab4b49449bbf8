package views

// Until asks how long something lasts. Choice is "", 1h, tomorrow or at; At the date and time for "at".
type Until struct {
	Choice, At, Wrong string
	Open              string // the words for "", which has no end
	Path              string // the question's own address, which shows what follows from another choice
}
