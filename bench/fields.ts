/** Beside the seven that every import reads (e-mail, names, dates, opt-outs): with them 20 fields of a person. */
export const chosenFields = [
  'Company',
  'Title',
  'WorkPhone',
  'Mobile',
  'HomePhone',
  'Industry',
  'Status',
  'Type',
  'Description',
  'WebAddress',
  'Address/City',
  'Address/PostalCode',
  'Address/Country',
]

export const fixedFields = ['Email', 'FirstName', 'LastName', 'CreateDate', 'ModifyDate', 'DoNotEmail', 'DoNotSolicit']
