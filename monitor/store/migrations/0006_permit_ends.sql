-- A permit that was over when 0002 came was never ended: it stood as approved for ever. Its end is due at once.
INSERT INTO permit_due (permit_number, what, valid_to, due_at)
SELECT permit_number, 'end', valid_to, valid_to FROM permit WHERE state = 'approved'
ON CONFLICT (permit_number, what, valid_to) DO NOTHING;
