"""Leaves pictures blank where it is imported: in the process that tests fork commands from."""

from tests.pictures import blank_pictures

blank_pictures.start()
