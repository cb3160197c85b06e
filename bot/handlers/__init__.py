"""One file for each way in; every handler notes the press, acknowledges it, and hands it on."""
