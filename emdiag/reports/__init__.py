"""Result records to pages: one HTML file each, that opens anywhere and asks for nothing."""
