"""The read path: closes blocks, has them judged, and says what follows."""
